#include "grammar/format.h"

#include <utility>

#include "base/format.h"
#include "grammar/json_rules.h"
#include "grammar/schema_compiler.h"
#include "io/json.h"

namespace tandem::grammar {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxLevels = 100;

}  // namespace

Result<std::shared_ptr<const Grammar>> CompileFormat(std::string_view format,
                                                     std::string_view where) {
  GrammarBuilder builder;
  JsonRules rules(builder);
  Rule root;
  std::vector<std::pair<StateId, std::string>> names;
  if (format == "json") {
    root = rules.AnyObject();
  } else {
    if (format.size() > kMaxBytes) {
      return Status(StatusCode::kUnsupported, Format("{}: a schema of {} bytes; {} are the limit",
                                                     where, format.size(), kMaxBytes));
    }
    TANDEM_ASSIGN_OR_RETURN(const Json document, ParseJson(format, where, kMaxLevels));
    SchemaCompiler compiler(rules, document);
    Result<Rule> compiled = compiler.Compile();
    if (!compiled.ok()) {
      return Status(compiled.status().code(), Format("{}: {}", where, compiled.status().message()));
    }
    root = *compiled;
    names = compiler.names();
  }
  Result<Grammar> grammar = std::move(builder).Finish(root, names);
  if (!grammar.ok()) {
    return Status(grammar.status().code(), Format("{}: {}", where, grammar.status().message()));
  }
  return std::shared_ptr<const Grammar>(
      std::make_shared<const Grammar>(std::move(grammar).value()));
}

}  // namespace tandem::grammar
