#pragma once

#include <optional>
#include <string_view>

#include "text/jinja/error.h"
#include "text/jinja/value.h"

namespace tandem::jinja {

/// Python's int(text, base); nothing where it raises ValueError, an OverflowError beyond Int.
/// Base 0 reads the prefix 0x, 0o or 0b.
Outcome<std::optional<Int>> ParseInteger(std::string_view text, Int base);
/// Python's float(text); nothing where it raises ValueError.
std::optional<double> ParseDouble(std::string_view text);
/// Python's int(value) of a float that is not NaN; an OverflowError beyond Int.
Outcome<Int> Truncated(double value);

}  // namespace tandem::jinja
