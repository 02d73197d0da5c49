#include <algorithm>

#include "api/convert_types.h"
#include "api/guard.h"
#include "api/model_impl.h"
#include "base/format.h"
#include "chat/media.h"
#include "chat/tool_definitions.h"
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

// What ParseConversation has checked to be a list of objects.
Result<std::vector<ToolCall>> ToToolCalls(const Json& message, std::size_t index) {
  std::vector<ToolCall> calls;
  const auto list = message.find("tool_calls");
  if (list == message.end() || list->is_null()) {
    return calls;
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json& item = (*list)[i];
    const bool wrapped = item.contains("function") && item["function"].is_object();
    const Json& function = wrapped ? item["function"] : item;
    ToolCall& call = calls.emplace_back();
    const bool complete = !item.contains("complete") || item["complete"] != false;
    if (!function.contains("name") || !function["name"].is_string() ||
        (complete && function["name"].get_ref<const std::string&>().empty())) {
      return Status(StatusCode::kInvalidArgument,
                    Format("messages: message {}: \"tool_calls\"[{}]: \"name\" must be a string, "
                           "not empty",
                           index, i));
    }
    if (function.contains("arguments") && !function["arguments"].is_object()) {
      return Status(StatusCode::kInvalidArgument,
                    Format("messages: message {}: \"tool_calls\"[{}]: \"arguments\" must be an "
                           "object, or a string that holds one",
                           index, i));
    }
    call.name = function["name"].get<std::string>();
    call.complete = complete;
    if (function.contains("arguments")) {
      call.arguments = DumpAsPython(function["arguments"]);
    }
    for (const auto& [field, text] : {std::pair("id", &call.id), std::pair("raw", &call.raw)}) {
      if (item.contains(field) && item[field].is_string()) {
        *text = item[field].get<std::string>();
      }
    }
  }
  return calls;
}

Result<std::vector<Message>> ToMessages(Conversation& conversation) {
  TANDEM_RETURN_IF_ERROR(NameMedia(conversation));
  std::vector<Message> messages;
  for (std::size_t i = 0; i < conversation.messages.size(); ++i) {
    const Json& item = conversation.messages[i];
    Message& message = messages.emplace_back();
    message.role = item["role"].get<std::string>();
    TANDEM_ASSIGN_OR_RETURN(message.tool_calls, ToToolCalls(item, i));
    // Beside calls there may be no content.
    const bool content = item.contains("content") && !item["content"].is_null();
    if (content && item["content"].is_array()) {
      TANDEM_ASSIGN_OR_RETURN(message.parts, ToParts(item["content"], i));
    } else if (content) {
      message.content = item["content"].get<std::string>();
    } else if (message.tool_calls.empty()) {
      return Status(StatusCode::kInvalidArgument,
                    Format("messages: message {}: \"content\" must be a string or a list", i));
    }
    for (const auto& [field, text] :
         {std::pair("reasoning_content", &message.reasoning),
          std::pair("tool_call_id", &message.tool_call_id), std::pair("name", &message.name)}) {
      if (item.contains(field) && item[field].is_string()) {
        *text = item[field].get<std::string>();
      }
    }
  }
  return messages;
}

}  // namespace

Result<std::string> ParseTools(std::string_view json) try {
  TANDEM_ASSIGN_OR_RETURN(const Json tools, ParseToolDefinitions(json, "tools"));
  return tools.is_null() ? std::string() : DumpAsPython(tools);
} catch (...) {
  return StatusOfException();
}

Result<std::vector<Message>> ParseMessages(std::string_view json) try {
  TANDEM_ASSIGN_OR_RETURN(Conversation conversation, ParseConversation(json, "messages"));
  return ToMessages(conversation);
} catch (...) {
  return StatusOfException();
}

Result<MessagesAndTools> ParseMessagesAndTools(std::string_view json) {
  TANDEM_ASSIGN_OR_RETURN(Conversation conversation, ParseConversation(json, "messages"));
  MessagesAndTools parsed;
  TANDEM_ASSIGN_OR_RETURN(parsed.messages, ToMessages(conversation));
  if (!conversation.tools.is_null()) {
    TANDEM_ASSIGN_OR_RETURN(const Json tools,
                            CheckToolDefinitions(std::move(conversation.tools), "tools"));
    parsed.tools = tools.is_null() ? std::string() : DumpAsPython(tools);
  }
  return parsed;
}

const ModelFacts& Model::facts() const {
  return impl_->facts;
}

}  // namespace tandem
