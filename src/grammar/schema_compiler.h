#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grammar/char_pattern.h"
#include "grammar/json_rules.h"
#include "grammar/schema_view.h"

namespace tandem::grammar {

/// Turns a JSON Schema into rules. Errors begin with the pointer. Used once; single-threaded.
class SchemaCompiler {
 public:
  SchemaCompiler(JsonRules& rules, const Json& document)
      : rules_(rules), document_(document), view_(document) {}

  Result<Rule> Compile() { return CompileAt(document_, "#"); }

  /// Where the rules of schemas begin, with their pointers.
  const std::vector<std::pair<StateId, std::string>>& names() const { return names_; }

 private:
  Result<Rule> CompileAt(const Json& schema, const std::string& pointer);
  Result<Rule> CompileNew(const Json& schema, const std::string& pointer);
  Result<Rule> CompileReference(const Json& schema, const std::string& pointer);
  Result<Rule> CompileKind(std::uint32_t kind, const Json& schema, const std::string& pointer);
  Result<Rule> CompileObject(const Json& schema, const std::string& pointer);
  Result<Rule> CompileArray(const Json& schema, const std::string& pointer);
  Result<Rule> CompileString(const Json& schema, const std::string& pointer);
  Result<Rule> CompileNumber(const Json& schema, const std::string& pointer, bool whole);
  Rule CompileDigits(const std::string& pattern);
  Result<Rule> CompileValues(const Json& schema, const std::string& pointer);
  Rule CompileValue(const Json& value);
  Result<Rule> CompileAlternatives(const Json& schema, const std::string& pointer,
                                   const char* keyword);
  Status CheckDisjoint(const Json& alternatives, const std::string& pointer) const;
  Result<std::uint32_t> ReadKinds(const Json& schema, const std::string& pointer) const;

  JsonRules& rules_;
  const Json& document_;
  SchemaView view_;
  std::map<std::string, Rule> known_;  // by pointer
  std::vector<std::pair<StateId, std::string>> names_;
  std::map<std::string, Rule> numbers_;  // by pattern
  std::size_t pattern_work_ = kPatternWork;
  std::size_t depth_ = 0;
};

}  // namespace tandem::grammar
