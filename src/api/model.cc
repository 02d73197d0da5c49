#include <algorithm>

#include "api/convert_types.h"
#include "api/guard.h"
#include "api/model_impl.h"
#include "base/format.h"
#include "chat/media.h"
#include "plan/memory.h"
#include "store/builtin.h"

namespace tandem {
namespace {

// Enough for several snapshots of the largest models, but no more than a quarter of what the plan
// leaves free.
std::uint64_t SnapshotBudget(const OpenedModel& opened) {
  constexpr std::uint64_t kMost = std::uint64_t{256} << 20;
  const std::uint64_t need = opened.Need(opened.engine.context_tokens).total();
  const std::uint64_t available = AvailableMemory();
  return available <= need ? 0 : std::min(kMost, (available - need) / 4);
}

}  // namespace

Result<Model> Model::Open(const std::string& name, const OpenOptions& options) try {
  auto impl = std::make_shared<Impl>();
  TANDEM_ASSIGN_OR_RETURN(impl->opened, OpenedModel::Load(name, ToSettings(options)));
  TANDEM_RETURN_IF_ERROR(impl->opened.FitContext(AvailableMemory()));
  TANDEM_ASSIGN_OR_RETURN(impl->engine,
                          Engine::Create(impl->opened.loaded->network(), impl->opened.engine));
  impl->facts = ToFacts(impl->opened);
  impl->snapshot_budget = SnapshotBudget(impl->opened);
  impl->facts.isa = impl->engine->ops().isa();
  return Model(std::move(impl));
} catch (...) {
  return StatusOfException();
}

Result<MemoryPlan> PlanModel(const std::string& name, const OpenOptions& options) try {
  TANDEM_ASSIGN_OR_RETURN(const OpenedModel opened, OpenedModel::Load(name, ToSettings(options)));
  const std::uint64_t available = AvailableMemory();
  const std::size_t largest = opened.LargestContext(available);
  const std::size_t context = options.context_tokens != 0
                                  ? options.context_tokens
                                  : std::max(largest, opened.LeastContext());
  const MemoryNeed need = opened.Need(context);
  return MemoryPlan{.context_tokens = context,
                    .weights = need.weights,
                    .cache = need.cache,
                    .state = need.state,
                    .working = need.working,
                    .vision = need.vision,
                    .program = need.program,
                    .total = need.total(),
                    .available = available,
                    .largest_context_tokens = largest,
                    .context_limit = opened.loaded->network().info().context_length};
} catch (...) {
  return StatusOfException();
}

std::vector<std::string> BuiltinModels() {
  return BuiltinModelNames();
}

namespace {

// Parts of one message after TakeMedia: pictures and clips in the form that templates know.
Result<std::vector<ContentPart>> ToParts(const Json& content, std::size_t index) {
  std::vector<ContentPart> parts;
  for (const Json& part : content) {
    for (const auto& [type, kind] : {std::pair("text", ContentPart::Kind::kText),
                                     std::pair("image", ContentPart::Kind::kImage),
                                     std::pair("video", ContentPart::Kind::kVideo)}) {
      if (part.is_object() && part.contains(type) && part[type].is_string()) {
        parts.push_back({.kind = kind, .value = part[type].get<std::string>()});
        break;
      }
    }
  }
  if (parts.size() != content.size() || parts.empty()) {
    return Status(StatusCode::kInvalidArgument,
                  Format("messages: message {}: a part of \"content\" is neither text nor a "
                         "picture nor a clip",
                         index));
  }
  return parts;
}

}  // namespace

Result<std::vector<Message>> ParseMessages(std::string_view json) try {
  TANDEM_ASSIGN_OR_RETURN(Conversation conversation, ParseConversation(json, "messages"));
  TANDEM_RETURN_IF_ERROR(NameMedia(conversation));
  std::vector<Message> messages;
  for (std::size_t i = 0; i < conversation.messages.size(); ++i) {
    const Json& item = conversation.messages[i];
    if (!item.contains("content") ||
        (!item["content"].is_string() && !item["content"].is_array())) {
      return Status(StatusCode::kInvalidArgument,
                    Format("messages: message {}: \"content\" must be a string or a list", i));
    }
    Message& message = messages.emplace_back();
    message.role = item["role"].get<std::string>();
    if (item["content"].is_string()) {
      message.content = item["content"].get<std::string>();
    } else {
      TANDEM_ASSIGN_OR_RETURN(message.parts, ToParts(item["content"], i));
    }
    if (item.contains("reasoning_content") && item["reasoning_content"].is_string()) {
      message.reasoning = item["reasoning_content"].get<std::string>();
    }
  }
  return messages;
} catch (...) {
  return StatusOfException();
}

const ModelFacts& Model::facts() const {
  return impl_->facts;
}

}  // namespace tandem
