#include <random>
#include <utility>

#include "api/convert_types.h"
#include "api/model_impl.h"
#include "base/check.h"

namespace tandem {

struct Session::Impl {
  explicit Impl(std::shared_ptr<Model::Impl> shared)
      : model(std::move(shared)), chat(*model->opened.loaded, *model->engine) {}

  std::shared_ptr<Model::Impl> model;
  ChatSession chat;
  std::vector<Message> messages;
};

Session::Session(const Model& model) {
  const std::lock_guard lock(model.impl()->step_mutex);
  impl_ = std::make_unique<Impl>(model.impl());
}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

Session::~Session() {
  if (impl_ != nullptr) {
    // The session's pages go back to the engine's pool; the model itself may go with its last
    // session, after the lock.
    const std::shared_ptr<Model::Impl> model = impl_->model;
    const std::lock_guard lock(model->step_mutex);
    impl_.reset();
  }
}

void Session::Add(Message message) {
  impl_->messages.push_back(std::move(message));
}
void Session::RemoveLast() {
  TANDEM_CHECK(!impl_->messages.empty(), "a conversation without messages has no last one");
  impl_->messages.pop_back();
}
const std::vector<Message>& Session::messages() const {
  return impl_->messages;
}

void Session::Clear() {
  const std::lock_guard lock(impl_->model->step_mutex);
  impl_->messages.clear();
  impl_->chat.Reset();
}

Result<Answer> Session::Generate(const GenerateOptions& options, const EventCallback& on_event) {
  Model::Impl& model = *impl_->model;
  TurnOptions turn = ToTurnOptions(options);
  turn.seed = std::random_device()();
  const auto deliver = [&on_event](const TurnEvent& event) {
    return !on_event || on_event(ToEvent(event));
  };
  {
    const std::lock_guard lock(model.step_mutex);
    TANDEM_RETURN_IF_ERROR(impl_->chat.Start(ToConversation(impl_->messages), turn, deliver));
  }
  // Each turn of the lock is one step of everybody's sequences, so sessions on other threads
  // advance too.
  for (bool ended = false; !ended;) {
    const std::lock_guard lock(model.step_mutex);
    ended = impl_->chat.Advance();
    if (!ended) {
      model.engine->Step();
    }
  }
  const std::lock_guard lock(model.step_mutex);
  TANDEM_ASSIGN_OR_RETURN(TurnResult result, impl_->chat.Finish());
  const std::uint64_t memory = model.opened.loaded->file().file_bytes() +
                               model.engine->memory_bytes() + 2 * model.facts.state_bytes;
  Answer answer = ToAnswer(std::move(result), memory);
  impl_->messages.push_back(
      {.role = "assistant", .content = answer.text, .reasoning = answer.reasoning});
  return answer;
}

}  // namespace tandem
