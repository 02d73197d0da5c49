#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tandem {

/// Breaks lines between words while text is still coming, so that a terminal does not break within
/// them. A word is held back until its end is known. Single-threaded.
class StreamWrapper {
 public:
  /// `columns`: cells of a line; 0: lines are left as they are.
  explicit StreamWrapper(std::size_t columns) : columns_(columns) {}

  /// The width has changed; the terminal has broken the line that it has at the new one.
  void SetColumns(std::size_t columns);

  /// What can be shown after this piece of text (whole UTF-8 characters).
  std::string Feed(std::string_view text);
  /// What was held back. What comes after it starts a line.
  std::string Flush();

 private:
  void PutWord(std::string_view word, std::string& out);

  std::size_t columns_;
  std::string pending_;     // the start of a word
  std::size_t spaces_ = 0;  // not shown before the word that follows them
  std::size_t used_ = 0;    // cells of the line
};

}  // namespace tandem
