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
  struct Hooks {
    /// What is said by a line of the person.
    std::function<Message(const std::string& text)> message;
    /// Shows the answers of the columns to further messages of each and returns them; a column
    /// without any takes no turn.
    std::function<std::vector<ColumnResult>(const std::vector<std::vector<Message>>& messages)>
        turn;
  };

  /// beginning: the messages that every conversation starts with.
  CompareRepl(Comparison& comparison, std::vector<Message> beginning, const Terminal& terminal,
              InterruptGuard& interrupt, Hooks hooks);

  /// Until the person leaves; then says how the votes stand, if there were any.
  void Run();

 private:
  std::vector<ReplCommand> Commands();
  void Ask(const std::string& message);
  std::vector<ColumnResult> Answer(const std::vector<std::vector<Message>>& messages);
  void Set(std::string_view rest);
  void SetFormat(const std::string& value);
  void SetTools(const std::string& path);
  void GiveResult(std::string_view rest);
  void Restart();
  void Vote(std::string_view rest);
  void ShowTally() const;
  void ShowMessages() const;

  Comparison& comparison_;
  std::vector<Message> beginning_;
  Hooks hooks_;
  std::vector<std::vector<Message>> results_;  // of calls, per column, not said yet
  std::vector<std::size_t> votes_;             // per column
  std::size_t ties_ = 0;
  bool open_question_ = false;  // the last turn has no vote yet
  Repl repl_;
};

/// "a  qwen3.5:demo: 31 thinking and 4 answer tokens, first after 0.10 s, 55.7 tok/s", a line each.
std::string TurnSummary(const std::vector<std::string>& labels,
                        const std::vector<ColumnResult>& results);

}  // namespace tandem
