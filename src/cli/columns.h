#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cli/terminal.h"

namespace tandem {

/// One side of a comparison as it is shown.
struct ColumnText {
  std::string label;
  std::string state;      // what the model is doing, while it does it
  std::string reasoning;  // empty: none, or not to be shown
  std::string answer;
  std::string note;             // about how it ended
  bool reasoning_open = false;  // more of it may come
};

/// A line of a terminal: what is printed, with its escapes, and the cells that it takes.
struct ScreenLine {
  std::string text;
  std::size_t cells = 0;
};

/// The least cells of a column that is worth reading.
constexpr std::size_t kLeastColumnCells = 40;

/// Whether `columns` fit beside each other on this terminal.
bool FitSideBySide(const Terminal& terminal, std::size_t columns);

/// The columns beside each other: labels, a rule, then the text, wrapped to equal widths.
/// `max_lines`: more lines than that are cut at the top, below labels and rule; 0: all.
std::vector<ScreenLine> LayOutColumns(const std::vector<ColumnText>& columns,
                                      const Terminal& terminal, std::size_t max_lines);

/// One column's text as it follows a heading; wrapped to the width of a terminal.
std::string ColumnBody(const ColumnText& column, const Terminal& terminal);

}  // namespace tandem
