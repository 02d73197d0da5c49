#pragma once

#include <string>
#include <string_view>

namespace tandem::grammar {

inline constexpr std::string_view kKnownFormats = "date, time, date-time and uuid";

/// A pattern (char_pattern.h) of the strings of one of JSON Schema's formats; empty when it is not
/// known. Dates exist (RFC 3339, section 5.6); times have an offset and no leap second.
std::string PatternOfFormat(std::string_view format);

}  // namespace tandem::grammar
