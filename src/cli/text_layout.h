#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

// How text fills the cells of a terminal. Text is UTF-8; what is ill-formed counts as U+FFFD. A
// cell width is that of Unicode's East Asian Width and emoji rules (UAX #11, UTS #51), by grapheme
// cluster (UAX #29).

/// The first user-perceived character of `text` (which must not be empty): its bytes and cells.
struct Cluster {
  std::size_t bytes = 0;
  std::size_t cells = 0;
};
Cluster FirstCluster(std::string_view text);

/// The cells that one line of text takes.
std::size_t TextCells(std::string_view line);

/// `line` in exactly `cells` cells: cut with "…" when it is longer, filled with spaces when
/// shorter.
std::string FitText(std::string_view line, std::size_t cells);
/// As FitText, with the spaces in front.
std::string FitTextRight(std::string_view line, std::size_t cells);
/// `line` in at most `cells` cells, cut with "…" when it is longer.
std::string CutText(std::string_view line, std::size_t cells);

/// `text` in lines of at most `cells` cells, at least 2: broken at line ends, else between words,
/// else within a word that is longer than a line. Tabs become spaces; spaces at a break vanish, and
/// the indentation of a line is kept.
std::vector<std::string> WrapText(std::string_view text, std::size_t cells);

/// `text` without characters that would move a terminal's cursor or change its state: control
/// characters but line feed and tab, and the other ones that start escape sequences, become U+FFFD.
std::string SafeForTerminal(std::string_view text);

}  // namespace tandem
