#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/tandem.h"

#include "cli/interrupt.h"
#include "cli/repl/repl.h"
#include "cli/terminal.h"

namespace tandem {

/// The conversation of `tandem compare` at a terminal: the same messages to all models, votes for
/// the better answer. Single-threaded.
class CompareRepl {
 public:
  /// turn: shows the answers of all columns to a message and returns them.
  using Turn = std::function<std::vector<ColumnResult>(const std::string& message)>;

  /// beginning: the messages that every conversation starts with.
  CompareRepl(Comparison& comparison, std::vector<Message> beginning, const Terminal& terminal,
              InterruptGuard& interrupt, Turn turn);

  /// Until the person leaves; then says how the votes stand, if there were any.
  void Run();

 private:
  std::vector<ReplCommand> Commands();
  void Ask(const std::string& message);
  void Set(std::string_view rest);
  void Vote(std::string_view rest);
  void ShowTally() const;
  void ShowMessages() const;

  Comparison& comparison_;
  std::vector<Message> beginning_;
  Turn turn_;
  std::vector<std::size_t> votes_;  // per column
  std::size_t ties_ = 0;
  bool open_question_ = false;  // the last turn has no vote yet
  Repl repl_;
};

/// "a  qwen3.5:demo: 31 thinking and 4 answer tokens, first after 0.10 s, 55.7 tok/s", a line each.
std::string TurnSummary(const std::vector<std::string>& labels,
                        const std::vector<ColumnResult>& results);

}  // namespace tandem
