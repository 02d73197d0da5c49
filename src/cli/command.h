#pragma once

#include <memory>
#include <string_view>

#include "base/status.h"

namespace CLI {
class App;
}

namespace tandem {

/// What the program tells the shell.
enum class ExitCode { kSuccess = 0, kFailure = 1, kUsage = 2, kInterrupted = 130 };

/// A verb of the command line: its options, and what it does with them. Single-threaded.
class Command {
 public:
  explicit Command(CLI::App& app) : app_(app) {}
  virtual ~Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  /// The verb's part of the parser; it outlives the command.
  const CLI::App& app() const { return app_; }

  /// Does the work, once the options are parsed. An error is printed by main() as one line and
  /// becomes kFailure (kInterrupted when it is Cancelled).
  virtual Result<ExitCode> Run() = 0;

 private:
  CLI::App& app_;
};

/// Adds a verb to the parser of `tandem`: one row of the table in main.cc.
using AddCommand = std::unique_ptr<Command> (*)(CLI::App& tandem);

/// Says what is wrong with the command line, as "Error: ..." and a pointer to the verb's help; for
/// what the parser cannot know.
ExitCode UsageError(const Command& command, std::string_view message);

/// Prints "Error: ..." as one line on standard error.
void PrintError(std::string_view message);

}  // namespace tandem
