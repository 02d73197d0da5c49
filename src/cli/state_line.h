#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "tandem/tandem.h"

#include "cli/answer_printer.h"
#include "cli/terminal.h"

namespace tandem {

/// What several models are doing, for columns' headings and, where no answer is shown while it is
/// made, as one line on the error stream that is drawn over and erased. Single-threaded.
class StateLine {
 public:
  /// `err`: where the line goes; it needs escapes. `sink` may be empty: no line.
  StateLine(std::vector<std::string> labels, const Terminal& err, AnswerPrinter::Sink sink,
            AnswerPrinter::Clock clock);

  void OnEvent(std::size_t column, const Event& event);
  /// "waiting", "looking 20 %", "reading 45 %", "thinking", "answering", "calling", or nothing for
  /// a column that has been silent for so long while others spoke that it must have ended.
  const std::string& state(std::size_t column) const { return columns_[column].state; }
  /// Takes the line away.
  void Erase();

 private:
  struct Column {
    std::string label;
    std::string state = "waiting";
    std::size_t silent_for = 0;  // events of others since its own last one
  };

  void Draw();

  std::vector<Column> columns_;
  Terminal err_;
  AnswerPrinter::Sink sink_;
  AnswerPrinter::Clock clock_;
  std::chrono::steady_clock::time_point last_draw_;
  bool shown_ = false;
};

}  // namespace tandem
