#include <optional>
#include <utility>

#include "api/convert_types.h"
#include "api/guard.h"
#include "base/check.h"
#include "compare/conversation_run.h"

namespace tandem {

struct Comparison::Impl {
  std::vector<CompareColumn> columns;
  std::unique_ptr<ConversationRun> run;
  std::vector<ModelFacts> facts;  // of the opening: later the files may have changed
  std::vector<std::vector<Message>> conversations;  // of Continue, one per column
  std::vector<std::size_t> lengths;                 // of each, before the turn under way

  std::vector<ColumnResult> Results(std::vector<ColumnOutcome> outcomes) const;
  std::vector<ColumnResult> Continue(const std::vector<std::vector<Message>>& further,
                                     std::uint64_t seed, const ColumnCallback& on_event);
  std::vector<ColumnResult> Failed(const Status& error);
};

Comparison::Comparison(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Comparison::Comparison(Comparison&&) noexcept = default;
Comparison& Comparison::operator=(Comparison&&) noexcept = default;
Comparison::~Comparison() = default;

Result<Comparison> Comparison::Open(std::vector<CompareColumn> columns) try {
  if (columns.size() < 2) {
    return Status(StatusCode::kInvalidArgument, "a comparison needs at least two models");
  }
  std::vector<ColumnSpec> specs;
  for (const CompareColumn& column : columns) {
    specs.push_back({.model = column.model,
                     .open = ToSettings(column.open),
                     .turn = ToTurnOptions(column.options)});
  }
  auto impl = std::make_unique<Impl>();
  impl->columns = std::move(columns);
  impl->conversations.resize(impl->columns.size());
  impl->lengths.resize(impl->columns.size());
  TANDEM_ASSIGN_OR_RETURN(impl->run, ConversationRun::Open(std::move(specs)));
  for (std::size_t i = 0; i < impl->run->size(); ++i) {
    impl->facts.push_back(ToFacts(impl->run->opened(i)));
  }
  return Comparison(std::move(impl));
} catch (...) {
  return StatusOfException();
}

const std::vector<CompareColumn>& Comparison::columns() const {
  return impl_->columns;
}
bool Comparison::together() const {
  return impl_->run->together();
}
const std::vector<std::string>& Comparison::notes() const {
  return impl_->run->notes();
}

std::vector<ColumnResult> Comparison::Impl::Results(std::vector<ColumnOutcome> outcomes) const {
  std::vector<ColumnResult> results;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    ColumnResult& result = results.emplace_back();
    result.facts = facts[i];
    if (!outcomes[i].isa.empty()) {
      result.facts.isa = outcomes[i].isa;
    }
    result.error = outcomes[i].error;
    if (result.error.ok() && outcomes[i].turn.finish != FinishReason::kRunning) {
      result.answer = ToAnswer(std::move(outcomes[i].turn), outcomes[i].memory_bytes);
    }
  }
  return results;
}

namespace {

ColumnCallback Delivery(const CompareCallback& on_event) {
  return [&on_event](std::size_t column, const TurnEvent& event) {
    return !on_event || Tell(event, [&](const Event& told) { return on_event(column, told); });
  };
}

}  // namespace

std::vector<ColumnResult> Comparison::Run(const std::vector<Message>& messages, std::uint64_t seed,
                                          const CompareCallback& on_event) try {
  return impl_->Results(impl_->run->Run(ToConversation(messages), seed, Delivery(on_event)));
} catch (...) {
  return impl_->Failed(StatusOfException());
}

std::vector<ColumnResult> Comparison::Continue(const Message& message, std::uint64_t seed,
                                               const CompareCallback& on_event) try {
  return ContinueEach(std::vector<std::vector<Message>>(impl_->columns.size(), {message}), seed,
                      on_event);
} catch (...) {
  return impl_->Failed(StatusOfException());  // nothing has been said yet
}

std::vector<ColumnResult> Comparison::ContinueEach(
    const std::vector<std::vector<Message>>& messages, std::uint64_t seed,
    const CompareCallback& on_event) {
  TANDEM_CHECK(messages.size() == impl_->columns.size(), "a list of messages for each column");
  for (std::size_t i = 0; i < impl_->conversations.size(); ++i) {
    impl_->lengths[i] = impl_->conversations[i].size();
  }
  try {
    return impl_->Continue(messages, seed, Delivery(on_event));
  } catch (...) {
    // As if nothing had been said, in any of the columns.
    for (std::size_t i = 0; i < impl_->conversations.size(); ++i) {
      impl_->conversations[i].resize(impl_->lengths[i]);
    }
    return impl_->Failed(StatusOfException());
  }
}

std::vector<ColumnResult> Comparison::Impl::Continue(
    const std::vector<std::vector<Message>>& further, std::uint64_t seed,
    const ColumnCallback& on_event) {
  std::vector<std::optional<Conversation>> asked(further.size());
  for (std::size_t i = 0; i < further.size(); ++i) {
    std::vector<Message>& messages = conversations[i];
    messages.insert(messages.end(), further[i].begin(), further[i].end());
    if (!further[i].empty()) {
      asked[i] = ToConversation(messages);
    }
  }
  std::vector<ColumnResult> results = Results(run->Continue(asked, seed, on_event));
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i].error.ok()) {
      conversations[i].resize(lengths[i]);
    } else if (asked[i].has_value()) {
      conversations[i].push_back(ToMessage(results[i].answer));
    }
  }
  return results;
}

// Every column with the same error, when what the engines hold cannot be trusted.
std::vector<ColumnResult> Comparison::Impl::Failed(const Status& error) {
  run->Forget();
  std::vector<ColumnResult> results(columns.size());
  for (ColumnResult& result : results) {
    result.error = error;
  }
  return results;
}

const std::vector<Message>& Comparison::messages(std::size_t column) const {
  return impl_->conversations[column];
}

void Comparison::SetFormat(const std::string& format) {
  for (CompareColumn& column : impl_->columns) {
    column.options.format = format;
  }
  impl_->run->SetFormat(format);
}

void Comparison::SetTools(const std::string& tools) {
  for (CompareColumn& column : impl_->columns) {
    column.options.tools = tools;
  }
  impl_->run->SetTools(tools);
}

void Comparison::Restart(const std::vector<Message>& messages) {
  impl_->run->Forget();
  impl_->conversations.assign(impl_->columns.size(), messages);
}

}  // namespace tandem
