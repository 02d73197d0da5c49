#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace tandem {

/// An option or argument of a command, as pages and completions show it.
struct OptionSheet {
  std::vector<std::string> names = {};  // "--ctx", "-o"; of an argument its name alone, "MODEL"
  std::string value;                    // "N", "FILE"; empty for a flag
  bool value_optional = false;          // --think or --think=false
  std::vector<std::string> words = {};  // the values there are, when they are few
  std::string text;                     // what --help says
  std::string group;                    // "Sampling"; empty for the ordinary ones
  bool repeated = false;                // an argument that takes any number of words
};

/// A verb as the parser knows it: the one source of --help, the manual and completion. A value.
struct CommandSheet {
  std::string name;
  std::vector<std::string> aliases;
  std::string text;
  std::string usage;   // "tandem run [OPTIONS] MODEL [PROMPT...]"
  std::string footer;  // paragraphs and examples, as --help ends with them
  std::vector<OptionSheet> options = {};
  std::vector<OptionSheet> arguments = {};
};

/// The sheets of all commands of `tandem` that are not hidden, in the order of the help text.
std::vector<CommandSheet> DescribeCommands(const CLI::App& tandem);

}  // namespace tandem
