#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace tandem {

/// The formatted text; the format string is checked at compile time ({} syntax of the fmt library).
template <typename... Args>
std::string Format(fmt::format_string<Args...> format, Args&&... args) {
  return fmt::format(format, std::forward<Args>(args)...);
}

/// `text` made safe for one line of an error message: control bytes and ill-formed UTF-8 become
/// \xNN, and more than `limit` bytes are cut with "...".
std::string Printable(std::string_view text, std::size_t limit = 80);

/// A byte count as people read it, decimal units: "2.74 GB", "512 B".
std::string FormatBytes(double bytes);

}  // namespace tandem
