#include "cli/answer_printer.h"

#include <utility>

#include "base/format.h"
#include "cli/answer_text.h"
#include "cli/numbers.h"
#include "cli/text_layout.h"

namespace tandem {
namespace {

// A prompt (or picture) that is read faster than this needs no progress.
constexpr std::chrono::milliseconds kPatience{500};
constexpr std::chrono::milliseconds kProgressInterval{100};

constexpr std::string_view kEraseLine = "\r\x1b[K";
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kPlain = "\x1b[0m";

}  // namespace

AnswerPrinter::AnswerPrinter(const Options& options, Sink out, Sink err, Clock clock)
    : options_(options),
      out_(std::move(out)),
      err_(std::move(err)),
      clock_(std::move(clock)),
      start_(clock_()),
      last_progress_(start_),
      wrapper_(options.out.interactive ? options.out.columns : 0) {}

// Windows are made wider and narrower while text comes.
void AnswerPrinter::AskWidth() {
  if (!options_.out.interactive || !options_.columns) {
    return;
  }
  const std::size_t columns = options_.columns();
  if (columns != options_.out.columns) {
    options_.err.columns = options_.err.interactive ? columns : options_.err.columns;
    options_.out.columns = columns;
    wrapper_.SetColumns(columns);
  }
}

void AnswerPrinter::ShowProgress(const Event& event) {
  const auto now = clock_();
  const bool due =
      now - start_ >= kPatience && (!progress_shown_ || now - last_progress_ >= kProgressInterval);
  if (options_.quiet || !options_.err.escapes || !due || event.total == 0) {
    return;
  }
  const std::size_t percent = 100 * event.done / event.total;
  const std::string text = event.text.empty()
                               ? Format("reading the prompt: {} of {} tokens, {} %",
                                        WithCommas(event.done), WithCommas(event.total), percent)
                               : Format("{}: {} %", event.text, percent);
  err_(std::string(kEraseLine) + options_.err.Dim(CutText(text, options_.err.columns - 1)));
  progress_shown_ = true;
  last_progress_ = now;
}

void AnswerPrinter::EraseProgress() {
  if (progress_shown_) {
    err_(kEraseLine);
    progress_shown_ = false;
  }
}

void AnswerPrinter::Enter(Part part) {
  if (part == part_) {
    return;
  }
  Show(wrapper_.Flush());
  std::string text;
  if (part_ == Part::kReasoning && options_.show_reasoning) {
    text += at_line_start_ ? "" : "\n";
    text += "...done thinking.";
    text += options_.out.colour ? kPlain : "";
    text += part == Part::kAnswer ? "\n\n" : "\n";
    at_line_start_ = true;
  }
  if (part == Part::kReasoning && options_.show_reasoning) {
    text += options_.out.colour ? kDim : "";
    text += "Thinking...\n";
  }
  part_ = part;
  if (!text.empty()) {
    out_(text);
  }
}

void AnswerPrinter::WriteText(std::string_view text, Part part) {
  if (text.empty()) {
    return;
  }
  Enter(part);
  if (part == Part::kReasoning && !options_.show_reasoning) {
    return;
  }
  Show(wrapper_.Feed(options_.out.interactive ? SafeForTerminal(text) : std::string(text)));
}

void AnswerPrinter::Show(std::string_view text) {
  if (!text.empty()) {
    out_(text);
    at_line_start_ = text.back() == '\n';
  }
}

void AnswerPrinter::OnEvent(const Event& event) {
  AskWidth();
  switch (event.kind) {
    case Event::Kind::kPrefill:
      ShowProgress(event);
      return;
    case Event::Kind::kReasoning:
      EraseProgress();
      WriteText(event.text, Part::kReasoning);
      return;
    case Event::Kind::kAnswer:
      EraseProgress();
      WriteText(event.text, Part::kAnswer);
      return;
    case Event::Kind::kToolCall:
    case Event::Kind::kToolArguments:
      EraseProgress();
      return;
    case Event::Kind::kToolCallEnd:
      ShowCall(*event.call);
      return;
    case Event::Kind::kNote:
      EraseProgress();
      if (!options_.quiet) {
        Show(wrapper_.Flush());
        const bool breaks_line = options_.out.interactive && !at_line_start_;
        err_(Format("{}Note: {}\n", breaks_line ? "\n" : "", event.text));
        at_line_start_ = at_line_start_ || breaks_line;
      }
      return;
  }
}

// A line of its own, shortened on a terminal.
void AnswerPrinter::ShowCall(const ToolCall& call) {
  EraseProgress();
  Enter(Part::kAnswer);
  Show(wrapper_.Flush());
  const std::string line = ToolCallLine(call);
  const std::string shown =
      options_.out.interactive
          ? options_.out.Dim(CutText(SafeForTerminal(line), options_.out.columns - 1))
          : line;
  out_((at_line_start_ ? "" : "\n") + shown + "\n");
  at_line_start_ = true;
}

void AnswerPrinter::Finish() {
  EraseProgress();
  Enter(Part::kNothing);
  if (!at_line_start_) {
    out_("\n");
    at_line_start_ = true;
  }
}

}  // namespace tandem
