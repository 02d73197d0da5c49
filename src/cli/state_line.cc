#include "cli/state_line.h"

#include <utility>

#include "base/format.h"
#include "cli/text_layout.h"

namespace tandem {
namespace {

// Models take turns token by token, and a token shows nothing only while a character is incomplete.
constexpr std::size_t kEndedAfter = 24;
constexpr std::chrono::milliseconds kInterval{100};
constexpr std::string_view kEraseLine = "\r\x1b[K";

std::string StateOf(const Event& event) {
  switch (event.kind) {
    case Event::Kind::kPrefill:
      return event.total == 0 ? "reading"
                              : Format("{} {} %", event.text.empty() ? "reading" : "looking",
                                       100 * event.done / event.total);
    case Event::Kind::kReasoning:
      return "thinking";
    case Event::Kind::kAnswer:
      return "answering";
    case Event::Kind::kToolCall:
    case Event::Kind::kToolArguments:
    case Event::Kind::kToolCallEnd:
      return "calling";
    case Event::Kind::kNote:
      break;
  }
  return "";
}

}  // namespace

StateLine::StateLine(std::vector<std::string> labels, const Terminal& err, AnswerPrinter::Sink sink,
                     AnswerPrinter::Clock clock)
    : err_(err), sink_(std::move(sink)), clock_(std::move(clock)), last_draw_(clock_()) {
  for (std::string& label : labels) {
    columns_.emplace_back().label = std::move(label);
  }
}

void StateLine::OnEvent(std::size_t column, const Event& event) {
  if (event.kind == Event::Kind::kNote) {
    return;
  }
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    Column& other = columns_[i];
    const bool started =
        other.state == "thinking" || other.state == "answering" || other.state == "calling";
    other.silent_for = i == column ? 0 : other.silent_for + 1;
    if (started && other.silent_for > kEndedAfter * (columns_.size() - 1)) {
      other.state = "";
    }
  }
  columns_[column].state = StateOf(event);
  Draw();
}

void StateLine::Draw() {
  const auto now = clock_();
  if (!sink_ || !err_.escapes || now - last_draw_ < kInterval) {
    return;
  }
  std::string line;
  for (const Column& column : columns_) {
    line += Format("{}{}: {}", line.empty() ? "" : ", ", column.label,
                   column.state.empty() ? "done" : column.state);
  }
  sink_(std::string(kEraseLine) + err_.Dim(CutText(line, err_.columns - 1)));
  shown_ = true;
  last_draw_ = now;
}

void StateLine::Erase() {
  if (shown_) {
    sink_(kEraseLine);
    shown_ = false;
  }
}

}  // namespace tandem
