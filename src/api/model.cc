#include "api/convert_types.h"
#include "api/model_impl.h"
#include "base/format.h"
#include "plan/memory.h"
#include "store/builtin.h"

namespace tandem {

Result<Model> Model::Open(const std::string& name, const OpenOptions& options) {
  auto impl = std::make_shared<Impl>();
  TANDEM_ASSIGN_OR_RETURN(impl->opened, OpenedModel::Load(name, ToSettings(options)));
  TANDEM_RETURN_IF_ERROR(impl->opened.FitContext(AvailableMemory()));
  TANDEM_ASSIGN_OR_RETURN(impl->engine,
                          Engine::Create(impl->opened.loaded->network(), impl->opened.engine));
  impl->facts = ToFacts(impl->opened);
  impl->facts.isa = impl->engine->ops().isa();
  return Model(std::move(impl));
}

std::vector<std::string> BuiltinModels() {
  return BuiltinModelNames();
}

Result<std::vector<Message>> ParseMessages(std::string_view json) {
  TANDEM_ASSIGN_OR_RETURN(const Conversation conversation, ParseConversation(json, "messages"));
  std::vector<Message> messages;
  for (std::size_t i = 0; i < conversation.messages.size(); ++i) {
    const Json& item = conversation.messages[i];
    if (!item.contains("content") || !item["content"].is_string()) {
      return Status(StatusCode::kInvalidArgument,
                    Format("messages: message {}: \"content\" must be a string", i));
    }
    Message& message = messages.emplace_back();
    message.role = item["role"].get<std::string>();
    message.content = item["content"].get<std::string>();
    if (item.contains("reasoning_content") && item["reasoning_content"].is_string()) {
      message.reasoning = item["reasoning_content"].get<std::string>();
    }
  }
  return messages;
}

const ModelFacts& Model::facts() const {
  return impl_->facts;
}

}  // namespace tandem
