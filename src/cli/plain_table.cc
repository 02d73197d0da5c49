#include "cli/plain_table.h"

#include <algorithm>

#include "base/format.h"
#include "cli/text_layout.h"

namespace tandem {

std::string PlainTable::Render() const {
  std::vector<std::size_t> widths(rows_[0].size(), 0);
  for (const std::vector<std::string>& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], TextCells(row[i]));
    }
  }
  std::string out;
  for (const std::vector<std::string>& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - TextCells(row[i]), ' ');
      line += i == 0 ? "" : "  ";
      line += i >= right_from_ ? Format("{}{}", space, row[i]) : Format("{}{}", row[i], space);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace tandem
