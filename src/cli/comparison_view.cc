#include "cli/comparison_view.h"

#include <utility>

#include "base/format.h"
#include "cli/answer_text.h"
#include "cli/text_layout.h"

namespace tandem {
namespace {

// As often as the eye follows text, and far more rarely than tokens come.
constexpr std::chrono::milliseconds kFrameInterval{50};

// A line of states only where no answer is seen growing: in a pipe, with a terminal for errors.
AnswerPrinter::Sink StateSink(const ComparisonView::Options& options, AnswerPrinter::Sink err) {
  const bool wanted = !options.quiet && !options.terminal().interactive;
  return wanted ? std::move(err) : nullptr;
}

// A line of its own behind the answer.
void AddCall(const ToolCall& call, std::string& answer) {
  answer +=
      Format("{}[{}]\n", answer.empty() || answer.ends_with('\n') ? "" : "\n", ToolCallLine(call));
}

}  // namespace

ComparisonView::ComparisonView(std::vector<std::string> labels, Options options,
                               AnswerPrinter::Sink out, AnswerPrinter::Sink err,
                               AnswerPrinter::Clock clock)
    : options_(std::move(options)),
      out_(std::move(out)),
      clock_(std::move(clock)),
      states_(labels, options_.err, StateSink(options_, err), clock_) {
  for (std::string& label : labels) {
    ColumnText column;
    column.label = std::move(label);
    column.state = states_.state(columns_.size());
    columns_.push_back(std::move(column));
  }
  const Terminal terminal = options_.terminal();
  if (FitSideBySide(terminal, columns_.size())) {
    region_ = std::make_unique<LiveRegion>(out_, options_.echo_fd);
    last_draw_ = clock_();
    region_->Draw(LayOutColumns(columns_, terminal, terminal.rows - 1), terminal);
  } else if (terminal.interactive) {
    PrintHeading(0, terminal);
    printer_ = std::make_unique<AnswerPrinter>(
        AnswerPrinter::Options{.out = terminal,
                               .err = options_.err,
                               .show_reasoning = options_.show_reasoning,
                               .quiet = options_.quiet,
                               .columns = [this] { return options_.terminal().columns; }},
        out_, std::move(err), clock_);
  }
}

ComparisonView::~ComparisonView() = default;

void ComparisonView::DrawIfDue() {
  const auto now = clock_();
  if (region_ == nullptr || now - last_draw_ < kFrameInterval) {
    return;
  }
  const Terminal terminal = options_.terminal();
  region_->Draw(LayOutColumns(columns_, terminal, terminal.rows - 1), terminal);
  last_draw_ = now;
}

void ComparisonView::OnEvent(std::size_t column, const Event& event) {
  ColumnText& text = columns_[column];
  states_.OnEvent(column, event);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    columns_[i].state = states_.state(i);
  }
  switch (event.kind) {
    case Event::Kind::kPrefill:
      break;
    case Event::Kind::kReasoning:
      text.reasoning_open = true;
      if (options_.show_reasoning) {
        text.reasoning += event.text;
      }
      break;
    case Event::Kind::kAnswer:
      text.reasoning_open = false;
      text.answer += event.text;
      break;
    case Event::Kind::kToolCall:
    case Event::Kind::kToolArguments:
      text.reasoning_open = false;
      break;
    case Event::Kind::kToolCallEnd:
      AddCall(*event.call, text.answer);
      break;
    case Event::Kind::kNote:
      return;  // part of the result, shown at the end
  }
  if (printer_ != nullptr && column == 0) {
    printer_->OnEvent(event);
  }
  DrawIfDue();
}

void ComparisonView::PrintHeading(std::size_t column, const Terminal& terminal) {
  out_(Format("{}{}\n", column > 0 ? "\n" : "",
              terminal.Bold(Format("== {} ==", columns_[column].label))));
}

void ComparisonView::PrintSequence(const Terminal& terminal) {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    ColumnText& column = columns_[i];
    if (i > 0 || printer_ == nullptr) {
      PrintHeading(i, terminal);
      out_(ColumnBody(column, terminal));
      continue;
    }
    printer_->Finish();
    if (!column.note.empty()) {
      out_(terminal.Dim("[" + column.note + "]") + "\n");
    }
  }
}

void ComparisonView::Finish(const std::vector<ColumnResult>& results,
                            const std::vector<CompareColumn>& limits) {
  states_.Erase();
  for (std::size_t i = 0; i < results.size(); ++i) {
    ColumnText& column = columns_[i];
    const ColumnResult& result = results[i];
    column.state = "";
    column.reasoning_open = false;
    column.answer = result.answer.text;
    for (const ToolCall& call : result.answer.tool_calls) {
      AddCall(call, column.answer);
    }
    column.reasoning = options_.show_reasoning ? result.answer.reasoning : "";
    column.note = result.error.ok() ? FinishNote(result.answer, limits[i].options)
                  : result.error.code() == StatusCode::kCancelled
                      ? result.error.message()
                      : "Error: " + result.error.message();
  }
  const Terminal terminal = options_.terminal();
  if (region_ != nullptr && FitSideBySide(terminal, columns_.size())) {
    region_->Finish(LayOutColumns(columns_, terminal, 0), terminal);
    return;
  }
  if (region_ != nullptr) {  // the window became too narrow
    region_->Finish({}, terminal);
  }
  PrintSequence(terminal);
}

}  // namespace tandem
