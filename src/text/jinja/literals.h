#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "text/jinja/value.h"

namespace tandem::jinja {

/// A number at the start of a text: an integer, or a real when that is set.
struct NumberLiteral {
  std::size_t length = 0;
  Int integer = 0;
  std::optional<double> real;
  const char* error = nullptr;
};
/// Reads the number literal that `text` (which begins with a digit) starts with. `fraction` allows
/// a float: not after a dot.
NumberLiteral ReadNumber(std::string_view text, bool fraction);

/// A string literal with its escapes decoded, or why it cannot be.
struct StringLiteral {
  std::string text;
  std::string error;
};
/// Decodes the body of a string literal as Python's unicode-escape codec.
StringLiteral DecodeString(std::string_view body);

}  // namespace tandem::jinja
