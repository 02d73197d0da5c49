#pragma once

#include <cstdint>
#include <string>

namespace tandem {

/// "4,205,751,296".
std::string WithCommas(std::uint64_t number);

/// "4.21 B", "752 M", "1,234": a number of parameters as people say it.
std::string ShortCount(std::uint64_t number);

/// "1 token", "1,234 tokens".
std::string TokenCount(std::uint64_t count);

/// "0.42 s", "12.3 s", "2:05 min".
std::string ShortSeconds(double seconds);

/// A rate with three digits: "0.52", "12.3", "1,234". "–" when it is not positive.
std::string ShortRate(double per_second);

}  // namespace tandem
