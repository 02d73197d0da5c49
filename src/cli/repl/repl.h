#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/interrupt.h"
#include "cli/repl/line_editor.h"
#include "cli/terminal.h"

namespace tandem {

/// A command of a conversation: a word after a slash.
struct ReplCommand {
  std::string_view name;       // with the slash
  std::string_view arguments;  // as the help shows them, may be empty
  std::string_view help;       // one line
  std::function<void(std::string_view rest)> run;
  /// Words that may follow, for completion; file names when it is empty and `files` is set.
  std::vector<std::string> words = {};
  bool files = false;
};

/// A conversation at a terminal: messages, commands, keys. What a turn does is its user's business.
/// Single-threaded, but for `while_waiting`.
class Repl {
 public:
  struct Hooks {
    std::function<void(const std::string& message)> answer;
    /// Runs on a thread of its own while the person types, until it is done or told to stop, and
    /// ends before anything else is called. May be empty.
    std::function<void(const std::atomic<bool>& stop)> while_waiting = {};
    std::string help = {};  // further lines for /?
  };

  Repl(const Terminal& terminal, InterruptGuard& interrupt, std::vector<ReplCommand> commands,
       Hooks hooks);

  /// Returns when the person leaves (/bye, Ctrl-D, Ctrl-C twice) or the program is told to end.
  void Run();

  /// What stands in the line when the person is asked next.
  void Suggest(std::string text) { initial_ = std::move(text); }
  void KeepHistory(bool keep) { editor_.KeepHistory(keep); }

 private:
  enum class Next { kGoOn, kLeave };

  LineEditor::Event Ask(std::string& message);
  Next Handle(const std::string& message);
  void ShowHelp() const;
  Completions Complete(std::string_view line) const;

  const Terminal terminal_;
  InterruptGuard& interrupt_;
  std::vector<ReplCommand> commands_;
  Hooks hooks_;
  LineEditor editor_;
  std::string initial_;
};

/// The first word, and what follows it.
std::pair<std::string_view, std::string_view> SplitWord(std::string_view text);

/// File names that begin like `text`, folders with a slash behind them; ~ stands for the home
/// folder.
std::vector<std::string> MatchingFiles(const std::string& text);

}  // namespace tandem
