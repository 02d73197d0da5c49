#pragma once

#include <string>
#include <vector>

#include "tandem/tandem.h"

namespace tandem {

/// The figures of one conversation's answers, a column per model, as an aligned text table. Errors
/// stand in their column.
std::string FiguresTable(const std::vector<std::string>& labels,
                         const std::vector<ColumnResult>& results);

/// What was asked and what the models answered.
struct ComparedPrompt {
  std::string prompt;
  std::vector<ColumnResult> results;
};

/// Medians of every figure over the prompts, and on how many the answers differ, as the same kind
/// of table.
std::string SummaryTable(const std::vector<std::string>& labels,
                         const std::vector<ComparedPrompt>& prompts);

/// The whole run as Markdown: summary, then each prompt with the answers and where they begin to
/// differ.
std::string MarkdownReport(const std::vector<std::string>& labels,
                           const std::vector<ComparedPrompt>& prompts, std::uint64_t seed);

}  // namespace tandem
