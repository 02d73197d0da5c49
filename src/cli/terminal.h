#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tandem {

/// What an output stream is connected to, and what we may do there. A value.
struct Terminal {
  bool interactive = false;  // a terminal, not a pipe or file
  bool escapes = false;      // it understands cursor movement (TERM is set and not "dumb")
  bool colour = false;       // escapes, and NO_COLOR is not set
  std::size_t columns = 80;
  std::size_t rows = 24;

  /// Asks the system about a file descriptor; reads NO_COLOR and TERM.
  static Terminal Of(int fd);

  /// The text in the style where that is possible, else the text alone.
  std::string Bold(std::string_view text) const;
  std::string Dim(std::string_view text) const;
};

/// Writes to a stream and hands it on at once; signals in between cost nothing.
void WriteNow(std::string_view text, int fd);

}  // namespace tandem
