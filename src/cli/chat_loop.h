#pragma once

#include <functional>
#include <string>

#include "cli/interrupt.h"
#include "cli/terminal.h"

namespace tandem {

/// A conversation at a terminal: a prompt sign, one line per turn, slash commands. What a turn does
/// is its user's business. Single-threaded.
class ChatLoop {
 public:
  struct Hooks {
    std::function<void(const std::string& message)> answer;
    std::function<void()> clear;
    std::string help;  // further lines for /?
  };

  ChatLoop(const Terminal& terminal, InterruptGuard& interrupt, Hooks hooks);

  /// Returns when the person leaves (/bye, Ctrl-D) or the program is told to end.
  void Run();

 private:
  enum class Next { kGoOn, kLeave };

  Next HandleLine(const std::string& line);
  void ShowHelp() const;

  const Terminal terminal_;
  InterruptGuard& interrupt_;
  Hooks hooks_;
};

}  // namespace tandem
