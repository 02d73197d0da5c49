#include <random>
#include <utility>

#include "api/convert_types.h"
#include "api/guard.h"
#include "api/model_impl.h"
#include "base/check.h"

namespace tandem {

struct Session::Impl {
  explicit Impl(std::shared_ptr<Model::Impl> shared)
      : model(std::move(shared)),
        chat(*model->opened.loaded, *model->engine, model->snapshot_budget) {}

  // Steps the engine until the turn or the reading ahead under way has ended. Each turn of the lock
  // is one step of everybody's sequences, so sessions on other threads advance too.
  void StepToTheEnd() {
    for (bool ended = false; !ended;) {
      const std::lock_guard lock(model->step_mutex);
      ended = chat.Advance();
      if (!ended) {
        model->engine->Step();
      }
    }
  }

  std::shared_ptr<Model::Impl> model;
  ChatSession chat;
  std::vector<Message> messages;
  GenerateOptions options;     // of the last answer
  std::size_t read_ahead = 0;  // tokens, since the last answer
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
  impl_->read_ahead = 0;
}

Result<std::size_t> Session::ReadAhead(const std::atomic<bool>* cancel) try {
  Model::Impl& model = *impl_->model;
  if (impl_->messages.empty() || impl_->messages.back().role != "assistant") {
    return std::size_t{0};
  }
  GenerateOptions options;
  options.thinking = impl_->options.thinking;
  options.tools = impl_->options.tools;
  options.cancel = cancel;
  {
    const std::lock_guard lock(model.step_mutex);
    TANDEM_ASSIGN_OR_RETURN(
        const bool started,
        impl_->chat.StartReadAhead(ToConversation(impl_->messages), ToTurnOptions(options)));
    if (!started) {
      return std::size_t{0};
    }
  }
  impl_->StepToTheEnd();
  const std::lock_guard lock(model.step_mutex);
  TANDEM_ASSIGN_OR_RETURN(const std::size_t read, impl_->chat.FinishReadAhead());
  impl_->read_ahead += read;
  return read;
} catch (...) {
  return StatusOfException();
}

SessionMemory Session::memory() const {
  const Model::Impl& model = *impl_->model;
  const Snapshots& snapshots = impl_->chat.snapshots();
  return {.tokens = impl_->chat.tokens_read(),
          .cache_bytes = impl_->chat.tokens_read() * model.facts.kv_bytes_per_token,
          .state_bytes = model.facts.state_bytes,
          .snapshots = snapshots.count(),
          .snapshot_bytes = snapshots.bytes(),
          .snapshot_budget = snapshots.budget()};
}

Result<Answer> Session::Generate(const GenerateOptions& options,
                                 const EventCallback& on_event) try {
  Model::Impl& model = *impl_->model;
  TurnOptions turn = ToTurnOptions(options);
  turn.seed = std::random_device()();
  const auto deliver = [&on_event](const TurnEvent& event) { return Tell(event, on_event); };
  {
    const std::lock_guard lock(model.step_mutex);
    TANDEM_RETURN_IF_ERROR(impl_->chat.Start(ToConversation(impl_->messages), turn, deliver));
  }
  impl_->StepToTheEnd();
  const std::lock_guard lock(model.step_mutex);
  TANDEM_ASSIGN_OR_RETURN(TurnResult result, impl_->chat.Finish());
  const std::uint64_t memory = model.opened.loaded->file().file_bytes() +
                               model.engine->memory_bytes() + 2 * model.facts.state_bytes;
  Answer answer = ToAnswer(std::move(result), memory);
  answer.figures.read_ahead_tokens = std::exchange(impl_->read_ahead, 0);
  impl_->options = options;
  impl_->messages.push_back(ToMessage(answer));
  return answer;
} catch (...) {
  return StatusOfException();
}

}  // namespace tandem
