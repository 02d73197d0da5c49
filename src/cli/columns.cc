#include "cli/columns.h"

#include <algorithm>

#include "base/format.h"
#include "cli/text_layout.h"

namespace tandem {
namespace {

constexpr std::string_view kSeparator = " │ ";
constexpr std::size_t kSeparatorCells = 3;
constexpr std::string_view kThinking = "Thinking...";
constexpr std::string_view kDoneThinking = "...done thinking.";

struct BodyLine {
  std::string text;
  bool dim = false;
};

void AddLines(const std::string& text, std::size_t cells, bool dim, std::vector<BodyLine>& lines) {
  for (std::string& line : WrapText(text, cells)) {
    lines.push_back({.text = std::move(line), .dim = dim});
  }
}

std::string WithoutOuterLineEnds(const std::string& text) {
  const std::size_t start = text.find_first_not_of("\r\n");
  if (start == std::string::npos) {
    return "";
  }
  return text.substr(start, text.find_last_not_of(" \r\n") - start + 1);
}

std::vector<BodyLine> Body(const ColumnText& column, std::size_t cells) {
  std::vector<BodyLine> lines;
  const std::string reasoning = SafeForTerminal(WithoutOuterLineEnds(column.reasoning));
  const std::string answer = SafeForTerminal(WithoutOuterLineEnds(column.answer));
  if (!reasoning.empty()) {
    AddLines(std::string(kThinking), cells, true, lines);
    AddLines(reasoning, cells, true, lines);
    if (!column.reasoning_open || !answer.empty()) {
      AddLines(std::string(kDoneThinking), cells, true, lines);
      lines.push_back({});
    }
  }
  if (!answer.empty()) {
    AddLines(answer, cells, false, lines);
  }
  if (!column.note.empty()) {
    AddLines("[" + column.note + "]", cells, true, lines);
  }
  return lines;
}

// Appends cells to a line, skipping spaces until something follows them, so that lines end where
// their text ends and a narrower window need not wrap them.
class LineBuilder {
 public:
  void Add(std::string_view plain, std::size_t column_cells, const std::string& styled) {
    const std::size_t used = TextCells(plain);
    if (used > 0) {
      line_.text.append(pending_, ' ');
      line_.text += styled;
      line_.cells += pending_ + used;
      pending_ = 0;
    }
    pending_ += column_cells - std::min(column_cells, used);
  }
  ScreenLine Take() { return std::move(line_); }

 private:
  ScreenLine line_;
  std::size_t pending_ = 0;
};

std::size_t ColumnCells(const Terminal& terminal, std::size_t columns) {
  const std::size_t separators = kSeparatorCells * (columns - 1);
  return terminal.columns > separators ? (terminal.columns - separators) / columns : 0;
}

ScreenLine Heading(const std::vector<ColumnText>& columns, std::size_t cells,
                   const Terminal& terminal) {
  LineBuilder line;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (i > 0) {
      line.Add(kSeparator, kSeparatorCells, std::string(kSeparator));
    }
    const ColumnText& column = columns[i];
    const std::size_t state_cells =
        column.state.empty() ? 0 : std::min(TextCells(column.state) + 2, cells / 2);
    const std::string label = CutText(column.label, cells - state_cells);
    const std::string state = state_cells > 0 ? "  " + CutText(column.state, state_cells - 2) : "";
    line.Add(label + state, cells, terminal.Bold(label) + terminal.Dim(state));
  }
  return line.Take();
}

ScreenLine Rule(std::size_t columns, std::size_t cells) {
  ScreenLine line;
  for (std::size_t i = 0; i < columns; ++i) {
    line.text += i > 0 ? "─┼─" : "";
    for (std::size_t j = 0; j < cells; ++j) {
      line.text += "─";
    }
  }
  line.cells = columns * cells + (columns - 1) * kSeparatorCells;
  return line;
}

// For a file or another program: the bytes are not ours to change.
std::string PipeBody(const ColumnText& column) {
  std::string out;
  const std::string reasoning = WithoutOuterLineEnds(column.reasoning);
  if (!reasoning.empty()) {
    out += Format("{}\n{}\n{}\n\n", kThinking, reasoning, kDoneThinking);
  }
  const std::string answer = WithoutOuterLineEnds(column.answer);
  out += answer.empty() ? "" : answer + "\n";
  return column.note.empty() ? out : out + Format("[{}]\n", column.note);
}

}  // namespace

bool FitSideBySide(const Terminal& terminal, std::size_t columns) {
  return terminal.interactive && terminal.escapes &&
         ColumnCells(terminal, columns) >= kLeastColumnCells - kSeparatorCells;
}

std::vector<ScreenLine> LayOutColumns(const std::vector<ColumnText>& columns,
                                      const Terminal& terminal, std::size_t max_lines) {
  const std::size_t cells = std::max<std::size_t>(ColumnCells(terminal, columns.size()), 2);
  std::vector<std::vector<BodyLine>> bodies;
  std::size_t height = 0;
  for (const ColumnText& column : columns) {
    bodies.push_back(Body(column, cells));
    height = std::max(height, bodies.back().size());
  }
  constexpr std::size_t kHeadLines = 2;
  const std::size_t shown =
      max_lines == 0 ? height : std::min(height, max_lines - std::min(max_lines, kHeadLines));
  std::vector<ScreenLine> lines = {Heading(columns, cells, terminal), Rule(columns.size(), cells)};
  for (std::size_t row = 0; row < shown; ++row) {
    LineBuilder line;
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      if (i > 0) {
        line.Add(kSeparator, kSeparatorCells, std::string(kSeparator));
      }
      // Each column shows its own newest lines.
      const std::size_t hidden = bodies[i].size() > shown ? bodies[i].size() - shown : 0;
      const BodyLine body = row + hidden < bodies[i].size() ? bodies[i][row + hidden] : BodyLine{};
      line.Add(body.text, cells, body.dim ? terminal.Dim(body.text) : body.text);
    }
    lines.push_back(line.Take());
  }
  return lines;
}

std::string ColumnBody(const ColumnText& column, const Terminal& terminal) {
  if (!terminal.interactive) {
    return PipeBody(column);
  }
  std::string out;
  for (const BodyLine& line : Body(column, terminal.columns)) {
    out += (line.dim ? terminal.Dim(line.text) : line.text) + "\n";
  }
  return out;
}

}  // namespace tandem
