#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tandem/tandem.h"

#include "base/status.h"

namespace tandem {

/// A conversation of a prompts file.
struct PromptCase {
  std::vector<Message> messages;
  std::string text;        // the last message, for people
  std::string tools = {};  // definitions, as ParseTools gives them
};

/// Reads JSON lines: each a string, {"prompt": "..."} or {"messages": [...]}, the objects perhaps
/// with definitions of "tools"; empty lines are
/// skipped. Errors start with the path and the number of the line, and nothing is left out: one bad
/// line is an error of the file. So is a file without a prompt.
Result<std::vector<PromptCase>> ReadPromptsFile(const std::string& path);

/// As above, from text; `where` names it.
Result<std::vector<PromptCase>> ParsePrompts(std::string_view text, std::string_view where);

}  // namespace tandem
