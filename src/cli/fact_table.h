#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/terminal.h"

namespace tandem {

/// Facts about one thing or two things side by side, in sections of labelled rows. A value.
class FactTable {
 public:
  /// `names`: the heading of each column of values.
  explicit FactTable(std::vector<std::string> names) : names_(std::move(names)) {}

  void StartSection(std::string title);
  /// Sets the value of `label` in the last section for one column, appending a row when the label
  /// is new there.
  void Set(std::size_t column, std::string_view label, std::string value);
  /// Goes on with an earlier section, or starts it.
  void ReturnToSection(std::string_view title);

  /// The table as text. On a terminal it fits the width: one column's values are wrapped below
  /// their labels, two columns that are too wide follow one after the other.
  std::string Render(const Terminal& terminal) const;

 private:
  struct Row {
    std::string label;
    std::vector<std::string> values;
  };
  struct Section {
    std::string title;
    std::vector<Row> rows;
  };

  std::string RenderColumns(const Terminal& terminal, const std::vector<std::size_t>& cells) const;
  std::string RenderOne(const Terminal& terminal, std::size_t column) const;
  static std::size_t LabelCells(const Section& section);
  std::size_t ValueCells(std::size_t column) const;

  std::vector<std::string> names_;
  std::vector<Section> sections_;
  std::size_t current_ = 0;
};

}  // namespace tandem
