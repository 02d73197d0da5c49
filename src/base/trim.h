#pragma once

#include <cstddef>
#include <string_view>

namespace tandem {

/// Spaces, tabs and line ends.
inline constexpr std::string_view kWhiteSpace = " \t\r\n";

/// `text` without the white space behind it.
inline std::string_view TrimmedEnd(std::string_view text) {
  const std::size_t last = text.find_last_not_of(kWhiteSpace);
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

/// `text` without the white space at either end.
inline std::string_view Trimmed(std::string_view text) {
  text = TrimmedEnd(text);
  return text.empty() ? text : text.substr(text.find_first_not_of(kWhiteSpace));
}

}  // namespace tandem
