#pragma once

#include <string>
#include <vector>

#include "tandem/tandem.h"

#include "api/answer_json.h"
#include "cli/fact_table.h"

namespace tandem {

/// What the person should know about how an answer ended, or nothing when it ended by itself.
std::string FinishNote(const Answer& answer, const GenerateOptions& options);

/// "calls get_weather {"city": "Oslo"}", on one line; of a call that is not complete what there is,
/// marked so.
std::string ToolCallLine(const ToolCall& call);

/// The figures of one answer, a line each (for --verbose).
std::string FiguresText(const Answer& answer);

/// The figures of several answers, a column each.
FactTable FiguresTable(const std::vector<std::string>& labels,
                       const std::vector<ColumnResult>& results);

}  // namespace tandem
