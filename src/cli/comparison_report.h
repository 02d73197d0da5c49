#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tandem/tandem.h"

#include "cli/fact_table.h"
#include "io/json.h"

namespace tandem {

/// One prompt with every column's answer.
struct PromptOutcome {
  std::string prompt;
  std::vector<ColumnResult> results;
};

/// A whole file of prompts, answered by every column. The columns of each outcome are in the order
/// of `columns`.
struct PromptsRun {
  std::vector<CompareColumn> columns;
  std::uint64_t seed = 0;
  std::size_t planned = 0;  // prompts of the file; fewer outcomes when it was interrupted
  std::vector<PromptOutcome> outcomes;
};

/// Whether the columns' answers are not all the same text (white space at the ends aside); a column
/// with an error differs from every answer.
bool AnswersDiffer(const PromptOutcome& outcome);

/// The medians of all figures over the prompts that a column answered, and its errors and cut
/// answers.
FactTable MediansTable(const PromptsRun& run);
Json MediansJson(const PromptsRun& run);

/// "the answers differ for 3 of 20 prompts: 2, 7, 19".
std::string DifferencesText(const PromptsRun& run);

/// The report in Markdown: settings, medians, where the answers differ, and all answers side by
/// side.
std::string ReportMarkdown(const PromptsRun& run);

}  // namespace tandem
