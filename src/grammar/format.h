#pragma once

#include <memory>
#include <string_view>

#include "base/status.h"
#include "grammar/grammar.h"

namespace tandem::grammar {

/// Compiles what an answer must look like: "json" (any JSON object) or the text of a JSON Schema,
/// of the subset in docs/structured-output.md. What is compiled may be narrower than the schema,
/// never wider: every text of the grammar is JSON that the schema accepts.
///
/// `where` names the text in errors, which go on with the JSON pointer and the keyword:
/// "s.json: #/properties/age: 'multipleOf' is not supported". Errors of ParseJson; InvalidArgument
/// for a malformed or contradictory schema; Unsupported for keywords outside the subset and beyond
/// the limits.
Result<std::shared_ptr<const Grammar>> CompileFormat(std::string_view format,
                                                     std::string_view where);

}  // namespace tandem::grammar
