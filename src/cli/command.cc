#include "cli/command.h"

#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "base/format.h"

namespace tandem {

void PrintError(std::string_view message) {
  std::fflush(stdout);
  const std::string line = Format("Error: {}\n", message);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

ExitCode UsageError(const Command& command, std::string_view message) {
  PrintError(message);
  const std::string hint = Format("Try 'tandem {} --help'.\n", command.app().get_name());
  std::fwrite(hint.data(), 1, hint.size(), stderr);
  return ExitCode::kUsage;
}

}  // namespace tandem
