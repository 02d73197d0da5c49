#include "cli/columns.h"

#include <unistd.h>

#include <algorithm>

#include "base/format.h"
#include "cli/text_layout.h"

namespace tandem {
namespace {

constexpr std::string_view kGap = "  ";
constexpr std::size_t kMostLiveRows = 20;
// Redrawing for every token would flicker and cost more than the tokens.
constexpr std::chrono::milliseconds kRedrawEvery{60};

}  // namespace

bool Columns::Fit(const Terminal& terminal, std::size_t columns) {
  return terminal.interactive && terminal.escapes &&
         terminal.columns >= columns * kLeastCells + (columns - 1) * kGap.size();
}

Columns::Columns(const Terminal& terminal, std::vector<std::string> headings)
    : terminal_(terminal) {
  cells_ = (terminal.columns - (headings.size() - 1) * kGap.size()) / headings.size();
  for (std::string& heading : headings) {
    columns_.push_back(
        {.heading = std::move(heading), .reasoning = {}, .answer = {}, .status = {}});
  }
}

void Columns::Append(std::size_t column, bool reasoning, std::string_view text) {
  (reasoning ? columns_[column].reasoning : columns_[column].answer) += text;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_draw_ >= kRedrawEvery) {
    last_draw_ = now;
    Draw();
  }
}

void Columns::SetStatus(std::size_t column, std::string text) {
  columns_[column].status = std::move(text);
  Append(column, false, "");
}

std::vector<Columns::Line> Columns::Lines(const Column& column) const {
  std::vector<Line> lines;
  if (column.reasoning.empty() && column.answer.empty()) {
    lines.push_back({column.status, true});
    return lines;
  }
  if (!column.reasoning.empty()) {
    for (std::string& line : WrapText(SafeForTerminal(column.reasoning), cells_)) {
      lines.push_back({std::move(line), true});
    }
    lines.push_back({"", false});
  }
  for (std::string& line : WrapText(SafeForTerminal(column.answer), cells_)) {
    lines.push_back({std::move(line), false});
  }
  return lines;
}

std::string Columns::RowOf(const std::vector<std::vector<Line>>& columns, std::size_t row) const {
  std::string text;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const Line line = row < columns[i].size() ? columns[i][row] : Line();
    const bool last = i + 1 == columns.size();
    const std::string cell = last ? CutText(line.text, cells_) : FitText(line.text, cells_);
    text += (i == 0 ? "" : std::string(kGap)) + (line.dim ? terminal_.Dim(cell) : cell);
  }
  return text;
}

std::string Columns::Headings() const {
  std::string text;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    text +=
        (i == 0 ? "" : std::string(kGap)) + terminal_.Bold(FitText(columns_[i].heading, cells_));
  }
  return text;
}

void Columns::Erase() {
  if (drawn_rows_ > 0) {
    WriteNow(Format("\x1b[{}A\r\x1b[J", drawn_rows_), STDOUT_FILENO);
    drawn_rows_ = 0;
  }
}

void Columns::Draw() {
  std::vector<std::vector<Line>> all;
  const std::size_t room = std::min(kMostLiveRows, terminal_.rows > 4 ? terminal_.rows - 3 : 1);
  std::size_t rows = 0;
  for (const Column& column : columns_) {
    std::vector<Line> lines = Lines(column);
    if (lines.size() > room) {
      lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(room));
    }
    rows = std::max(rows, lines.size());
    all.push_back(std::move(lines));
  }
  std::string text = drawn_rows_ > 0 ? Format("\x1b[{}A\r", drawn_rows_) : "";
  text += Headings() + "\x1b[K\n";
  for (std::size_t row = 0; row < rows; ++row) {
    text += RowOf(all, row) + "\x1b[K\n";
  }
  WriteNow(text + "\x1b[J", STDOUT_FILENO);
  drawn_rows_ = rows + 1;
}

void Columns::Finish() {
  Erase();
  std::vector<std::vector<Line>> all;
  std::size_t rows = 0;
  for (const Column& column : columns_) {
    all.push_back(Lines(column));
    rows = std::max(rows, all.back().size());
  }
  std::string text = Headings() + "\n";
  for (std::size_t row = 0; row < rows; ++row) {
    text += RowOf(all, row) + "\n";
  }
  WriteNow(text + "\n", STDOUT_FILENO);
}

}  // namespace tandem
