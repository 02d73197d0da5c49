#include "cli/fact_table.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "cli/text_layout.h"

namespace tandem {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kIndent = 2;
constexpr std::size_t kLeastLabelCells = 17;  // so that short sections line up
// Below this a column of values says nothing; the columns then follow one after the other.
constexpr std::size_t kLeastValueCells = 24;

std::string Spaces(std::size_t count) {
  return std::string(count, ' ');
}

// A value on as many lines as it takes.
std::vector<std::string> ValueLines(const std::string& value, std::size_t cells) {
  if (value.empty()) {
    return {"–"};
  }
  if (TextCells(value) <= cells) {
    return {value};
  }
  const std::size_t start = std::min(value.find_first_not_of(' '), value.size());
  return WrapText(std::string_view(value).substr(start), cells);
}

std::string WithoutTrailingSpaces(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

void FactTable::StartSection(std::string title) {
  sections_.push_back({.title = std::move(title), .rows = {}});
  current_ = sections_.size() - 1;
}

void FactTable::ReturnToSection(std::string_view title) {
  for (std::size_t i = 0; i < sections_.size(); ++i) {
    if (sections_[i].title == title) {
      current_ = i;
      return;
    }
  }
  StartSection(std::string(title));
}

void FactTable::Set(std::size_t column, std::string_view label, std::string value) {
  std::vector<Row>& rows = sections_[current_].rows;
  auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.label == label; });
  if (row == rows.end()) {
    row = rows.insert(
        row, Row{.label = std::string(label), .values = std::vector<std::string>(names_.size())});
  }
  row->values[column] = std::move(value);
}

std::size_t FactTable::LabelCells(const Section& section) {
  std::size_t cells = section.title.empty() ? 0 : kLeastLabelCells;
  for (const Row& row : section.rows) {
    cells = std::max(cells, TextCells(row.label));
  }
  return cells;
}

std::size_t FactTable::ValueCells(std::size_t column) const {
  std::size_t cells = TextCells(names_[column]);
  for (const Section& section : sections_) {
    for (const Row& row : section.rows) {
      cells = std::max(cells, TextCells(row.values[column]));
    }
  }
  return cells;
}

std::string FactTable::RenderColumns(const Terminal& terminal,
                                     const std::vector<std::size_t>& cells) const {
  std::size_t label_cells = 0;
  for (const Section& section : sections_) {
    label_cells = std::max(label_cells, LabelCells(section));
  }
  std::string heading = Spaces(kIndent + label_cells);
  for (std::size_t i = 0; i < names_.size(); ++i) {
    heading += Spaces(kGap) + FitText(names_[i], cells[i]);
  }
  std::string out = terminal.Bold(WithoutTrailingSpaces(heading)) + "\n";
  for (const Section& section : sections_) {
    if (section.rows.empty()) {
      continue;
    }
    out += section.title.empty() ? "" : terminal.Bold(section.title) + "\n";
    for (const Row& row : section.rows) {
      std::vector<std::vector<std::string>> values;
      std::size_t lines = 1;
      for (std::size_t i = 0; i < names_.size(); ++i) {
        values.push_back(ValueLines(row.values[i], cells[i]));
        lines = std::max(lines, values.back().size());
      }
      for (std::size_t k = 0; k < lines; ++k) {
        std::string line = Spaces(kIndent) + FitText(k == 0 ? row.label : "", label_cells);
        for (std::size_t i = 0; i < names_.size(); ++i) {
          line += Spaces(kGap) + FitText(k < values[i].size() ? values[i][k] : "", cells[i]);
        }
        out += WithoutTrailingSpaces(line) + "\n";
      }
    }
  }
  return out;
}

std::string FactTable::RenderOne(const Terminal& terminal, std::size_t column) const {
  const std::size_t limit = terminal.interactive ? terminal.columns : static_cast<std::size_t>(-1);
  std::string out = terminal.Bold(names_[column]) + "\n";
  for (const Section& section : sections_) {
    if (section.rows.empty()) {
      continue;
    }
    out += section.title.empty() ? "" : terminal.Bold(section.title) + "\n";
    const std::size_t label_cells = LabelCells(section);
    for (const Row& row : section.rows) {
      const std::string& value = row.values[column];
      if (value.empty()) {
        continue;
      }
      if (kIndent + label_cells + kGap + TextCells(value) <= limit) {
        out += Spaces(kIndent) + FitText(row.label, label_cells) + Spaces(kGap) + value + "\n";
        continue;
      }
      out += Spaces(kIndent) + CutText(row.label, limit - kIndent) + "\n";
      const std::size_t start = value.find_first_not_of(' ');
      for (const std::string& line : WrapText(value.substr(start), limit - 2 * kIndent)) {
        out += Spaces(2 * kIndent) + line + "\n";
      }
    }
  }
  return out;
}

std::string FactTable::Render(const Terminal& terminal) const {
  if (names_.size() == 1) {
    return RenderOne(terminal, 0);
  }
  std::size_t fixed = kIndent + kGap * names_.size();
  std::size_t label_cells = 0;
  for (const Section& section : sections_) {
    label_cells = std::max(label_cells, LabelCells(section));
  }
  fixed += label_cells;
  std::vector<std::size_t> cells;
  std::size_t wanted = fixed;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    cells.push_back(ValueCells(i));
    wanted += cells.back();
  }
  if (!terminal.interactive || wanted <= terminal.columns) {
    return RenderColumns(terminal, cells);
  }
  const std::size_t room = terminal.columns > fixed ? terminal.columns - fixed : 0;
  const std::size_t share = room / names_.size();
  if (share >= kLeastValueCells) {
    for (std::size_t& width : cells) {
      width = std::min(width, share);
    }
    return RenderColumns(terminal, cells);
  }
  std::string out;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    out += (out.empty() ? "" : "\n") + RenderOne(terminal, i);
  }
  return out;
}

}  // namespace tandem
