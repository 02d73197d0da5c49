#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tandem::grammar {

/// Digits that are written at most: before the point, after it, in the exponent. The first keeps
/// whole numbers within 64 bits.
inline constexpr int kMaxDigits = 18;
inline constexpr int kMaxFractionDigits = 16;
inline constexpr int kMaxExponentDigits = 2;
/// The largest whole number that is written.
inline constexpr std::int64_t kMaxInteger = 999'999'999'999'999'999;

/// A pattern (char_pattern.h) of the whole numbers from `low` to `high`, both within kMaxInteger
/// and low <= high: no leading zeros, no -0.
std::string IntegerPattern(std::int64_t low, std::int64_t high);

/// Any JSON number within the digits above.
std::string AnyNumberPattern();

/// The largest bound of a number that need not be whole, and the largest number that is written
/// when it has only a lower one.
inline constexpr std::int64_t kMaxBound = 999'999'999'999;

/// What a number must keep to; a bound is a whole number within +-kMaxBound.
struct NumberBounds {
  std::optional<std::int64_t> low = {};
  std::optional<std::int64_t> high = {};
  bool low_excluded = false;
  bool high_excluded = false;
};

/// A pattern of the numbers within bounds, at least one of which is set: without exponent, and with
/// no more digits than a double tells apart. Empty when there is no such number.
std::string BoundedNumberPattern(const NumberBounds& bounds);

}  // namespace tandem::grammar
