#pragma once

#include <string>
#include <string_view>

#include "tandem/tandem.h"

#include "io/json.h"

namespace tandem {

// The JSON of what the public types say: the same in the program's output and behind the C API.

/// "stop", "length", "context", "cancelled", "loop" or "tool_calls".
std::string_view FinishName(Finish finish);

/// The documented fields of an answer: answer, reasoning, thinking, thinking_cut, tool_calls,
/// finish, seed, sampling, figures, notes; after `model`.
Json AnswerJson(const std::string& model, const Answer& answer);

/// As AnswerJson, with the label, or `error` in the place of the answer.
Json ColumnJson(const std::string& label, const ColumnResult& result);

/// JSON text on one or several lines; what is not UTF-8 (an opened file's name) becomes U+FFFD.
std::string DumpJson(const Json& value, int indent);

/// A call as ParseMessages reads it: id, type, function with name and arguments (an object); of one
/// that is not complete also complete (false) and raw.
Json ToolCallJson(const ToolCall& call);

/// A message as ParseMessages reads it.
Json MessageJson(const Message& message);

/// The documented fields of an opened model.
Json FactsJson(const ModelFacts& facts);

/// The documented fields of what a session holds.
Json SessionMemoryJson(const SessionMemory& memory);

/// The documented fields of a plan.
Json PlanJson(const MemoryPlan& plan);

}  // namespace tandem
