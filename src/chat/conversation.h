#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "io/json.h"

namespace tandem {

/// Messages as a chat template sees them: an array of objects with "role" and "content" (a string,
/// null, or a list of parts), perhaps "reasoning_content" and "tool_calls"; and the tool
/// definitions, null without any.
struct Conversation {
  Json messages = Json::array();
  Json tools;
};

/// The role of a message, empty when it has none.
std::string_view RoleOf(const Json& message);

/// Reads `[{"role":..,"content":..}, ..]` or `{"messages":[..], "tools":[..]}`. Tool-call arguments
/// given as a JSON string become objects, as templates expect. Unknown roles and further fields are
/// kept. `where` names the text in errors: Corrupt for malformed JSON; InvalidArgument with index
/// and field otherwise.
Result<Conversation> ParseConversation(std::string_view json, std::string_view where);

/// Takes `/no_think`, `/nothink` and `/think` out of the user messages where they stand as the
/// first or last word, with their adjoining white space, and tells what the last message that
/// carried one asked for (in one message the last word wins). Media parts are untouched; a message
/// left empty stays. Source: models.md 8.1.
std::optional<bool> TakeSoftSwitch(Conversation& conversation);

}  // namespace tandem
