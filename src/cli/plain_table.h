#pragma once

#include <string>
#include <utility>
#include <vector>

namespace tandem {

/// Rows below a heading, columns as wide as their widest text and two cells apart: the same on a
/// terminal and in a pipe, so that other programs can read it. A value.
class PlainTable {
 public:
  explicit PlainTable(std::vector<std::string> heading) : rows_({std::move(heading)}) {}

  /// `cells`: as many as the heading has.
  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// From column `column` on, to the right.
  void AlignRight(std::size_t column) { right_from_ = column; }
  std::string Render() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::size_t right_from_ = static_cast<std::size_t>(-1);
};

}  // namespace tandem
