#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "io/json.h"

namespace tandem {

/// Reads definitions of tools: a list, or an object with a list under "tools", of
/// {"type": "function", "function": {"name", "description", "parameters"}} or of the inner objects
/// alone. Null when there are none. `where` names the text in errors: Corrupt for malformed JSON,
/// InvalidArgument with index and field.
Result<Json> ParseToolDefinitions(std::string_view json, std::string_view where);

/// As above, from what is parsed already: a list, or null.
Result<Json> CheckToolDefinitions(Json tools, std::string_view where);

/// JSON as Python's json.dumps writes it with ensure_ascii off, which is what models are trained
/// on: ", " and ": " between, keys in order.
std::string DumpAsPython(const Json& value);

/// The definitions of a conversation by name, for reading calls. A value.
class ToolSchemas {
 public:
  ToolSchemas() = default;
  /// definitions: a list, or null. What has no name is left out.
  explicit ToolSchemas(const Json& definitions);

  bool empty() const { return parameters_.empty(); }
  bool Has(std::string_view name) const { return parameters_.contains(name); }
  /// Whether a name begins with `text`.
  bool HasBeginning(std::string_view text) const;
  /// The schema of a tool's parameter; null when nothing is known of it. Valid as long as this.
  const Json* Parameter(std::string_view tool, std::string_view parameter) const;

 private:
  Json parameters_ = Json::object();  // by tool: an object by parameter
};

/// Whether a parameter with this schema (null: unknown) is text whatever is written for it.
bool IsTextOnly(const Json* schema);

/// What a model wrote for a parameter, in the type that the schema asks for; text where it cannot
/// be read as that. Without "type" and the like any JSON is taken as what it is.
Json ArgumentFromText(std::string_view text, const Json* schema);

}  // namespace tandem
