#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "cli/terminal.h"

namespace tandem {

/// Texts side by side on a terminal: while they stream, a region that shows the end of each is
/// redrawn in place; at the end they stand there whole, as plain text.
class Columns {
 public:
  /// Narrowest column that is worth having.
  static constexpr std::size_t kLeastCells = 36;

  Columns(const Terminal& terminal, std::vector<std::string> headings);

  /// True when the terminal is wide enough for the columns and can redraw.
  static bool Fit(const Terminal& terminal, std::size_t columns);

  void Append(std::size_t column, bool reasoning, std::string_view text);
  /// A short line shown while a column has no text, e.g. "reading 12 of 40 tokens".
  void SetStatus(std::size_t column, std::string text);
  /// Erases the region and prints everything.
  void Finish();

 private:
  struct Column {
    std::string heading;
    std::string reasoning;
    std::string answer;
    std::string status;
  };
  struct Line {
    std::string text;
    bool dim = false;
  };

  std::vector<Line> Lines(const Column& column) const;
  std::string RowOf(const std::vector<std::vector<Line>>& columns, std::size_t row) const;
  std::string Headings() const;
  void Draw();
  void Erase();

  Terminal terminal_;
  std::vector<Column> columns_;
  std::size_t cells_ = 0;
  std::size_t drawn_rows_ = 0;
  std::chrono::steady_clock::time_point last_draw_{};
};

}  // namespace tandem
