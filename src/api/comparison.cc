#include <utility>

#include "api/convert_types.h"
#include "compare/conversation_run.h"

namespace tandem {

struct Comparison::Impl {
  std::vector<CompareColumn> columns;
  std::unique_ptr<ConversationRun> run;
};

Comparison::Comparison(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Comparison::Comparison(Comparison&&) noexcept = default;
Comparison& Comparison::operator=(Comparison&&) noexcept = default;
Comparison::~Comparison() = default;

Result<Comparison> Comparison::Open(std::vector<CompareColumn> columns) {
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
  TANDEM_ASSIGN_OR_RETURN(impl->run, ConversationRun::Open(std::move(specs)));
  return Comparison(std::move(impl));
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

std::vector<ColumnResult> Comparison::Run(const std::vector<Message>& messages, std::uint64_t seed,
                                          const CompareCallback& on_event) {
  const auto deliver = [&on_event](std::size_t column, const TurnEvent& event) {
    return !on_event || on_event(column, ToEvent(event));
  };
  std::vector<ColumnOutcome> outcomes = impl_->run->Run(ToConversation(messages), seed, deliver);
  std::vector<ColumnResult> results;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    ColumnResult& result = results.emplace_back();
    result.facts = ToFacts(impl_->run->opened(i));
    if (!outcomes[i].isa.empty()) {
      result.facts.isa = outcomes[i].isa;
    }
    result.error = outcomes[i].error;
    if (result.error.ok()) {
      result.answer = ToAnswer(std::move(outcomes[i].turn), outcomes[i].memory_bytes);
    }
  }
  return results;
}

}  // namespace tandem
