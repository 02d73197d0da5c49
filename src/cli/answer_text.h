#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tandem/tandem.h"

#include "cli/fact_table.h"
#include "io/json.h"

namespace tandem {

/// "stop", "length", "context" or "cancelled".
std::string_view FinishName(Finish finish);

/// What the person should know about how an answer ended, or nothing when it ended by itself.
std::string FinishNote(const Answer& answer, const GenerateOptions& options);

/// The figures of one answer, a line each (for --verbose).
std::string FiguresText(const Answer& answer);

/// The figures of several answers, a column each.
FactTable FiguresTable(const std::vector<std::string>& labels,
                       const std::vector<ColumnResult>& results);

/// The documented fields of an answer: answer, reasoning, thinking, finish, seed, sampling,
/// figures, notes; after `model`.
Json AnswerJson(const std::string& model, const Answer& answer);

/// As AnswerJson, with the label, or `error` in the place of the answer.
Json ColumnJson(const std::string& label, const ColumnResult& result);

/// JSON text on one or several lines; what is not UTF-8 (an opened file's name) becomes U+FFFD.
std::string DumpJson(const Json& value, int indent);

}  // namespace tandem
