#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "text/jinja/error.h"
#include "text/jinja/value.h"

namespace tandem::jinja {

/// Python's format mini-language: [[fill]align][sign][#][0][width][grouping][.precision][type].
struct FormatSpec {
  std::string fill = " ";  // one character
  char align = 0;          // < > ^ = or 0 for the type's default
  char sign = '-';
  bool alternate = false;
  std::size_t width = 0;
  char grouping = 0;  // , _ or 0
  bool has_precision = false;
  std::size_t precision = 0;
  char type = 0;
};

/// Reads a format specification; ValueError as Python's for one that makes no sense.
Outcome<FormatSpec> ParseFormatSpec(std::string_view text);

/// A number as `spec` lays it out, without padding to the width.
Outcome<std::string> FormatNumber(const Value& number, const FormatSpec& spec);

/// `text` padded with the fill character to the width. `number`: sign-aware "=" padding applies.
MarkedText Pad(const MarkedText& text, const FormatSpec& spec, char default_align);

/// Digits of a non-negative integer in base 2, 8, 10 or 16.
std::string Digits(Int value, int base, bool upper);

/// snprintf for one double: type is e, f, g or their capitals.
std::string FormatDouble(double value, char type, std::size_t precision, bool alternate);

}  // namespace tandem::jinja
