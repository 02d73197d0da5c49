#include "grammar/number_pattern.h"

#include <algorithm>
#include <utility>

#include "base/format.h"

namespace tandem::grammar {
namespace {

void AddAlternative(std::string& pattern, const std::string& alternative) {
  if (!alternative.empty()) {
    pattern += (pattern.empty() ? "" : "|") + alternative;
  }
}

std::string DigitRange(char first, char last) {
  return first == last ? std::string(1, first) : Format("[{}-{}]", first, last);
}

std::string AnyDigits(std::size_t count) {
  return count == 0 ? "" : Format("[0-9]{{{}}}", count);
}

// The digit strings from `low` to `high`, which have the same length.
std::string SameLength(std::string_view low, std::string_view high) {
  if (low.empty()) {
    return "";
  }
  if (low[0] == high[0]) {
    return Format("{}{}", low[0], SameLength(low.substr(1), high.substr(1)));
  }
  const std::size_t rest = low.size() - 1;
  const std::string zeros(rest, '0');
  const std::string nines(rest, '9');
  char first = low[0];
  char last = high[0];
  std::string pattern;
  if (low.substr(1) != zeros) {
    AddAlternative(pattern, Format("{}{}", low[0], SameLength(low.substr(1), nines)));
    ++first;
  }
  std::string top;
  if (high.substr(1) != nines) {
    top = Format("{}{}", high[0], SameLength(zeros, high.substr(1)));
    --last;
  }
  if (first <= last) {
    AddAlternative(pattern, DigitRange(first, last) + AnyDigits(rest));
  }
  AddAlternative(pattern, top);
  return Format("(?:{})", pattern);
}

// 0 <= low <= high.
std::string NaturalPattern(std::int64_t low, std::int64_t high) {
  std::string pattern;
  std::int64_t begin = low;
  while (begin <= high) {
    const std::string first = std::to_string(begin);
    const std::int64_t longest = std::stoll(std::string(first.size(), '9'));
    const std::int64_t end = std::min(high, longest);
    AddAlternative(pattern, SameLength(first, std::to_string(end)));
    begin = end + 1;
  }
  return Format("(?:{})", pattern);
}

// Of the numbers 0 <= x with low <= x <= high; nothing when there is none.
std::string NonNegativePattern(const NumberBounds& bounds) {
  const std::int64_t low = std::max<std::int64_t>(bounds.low.value_or(0), 0);
  const bool low_excluded = bounds.low_excluded && bounds.low.value_or(-1) >= 0;
  const std::int64_t high = bounds.high.value_or(kMaxBound);
  const bool high_excluded = bounds.high_excluded && bounds.high.has_value();
  if (high < low || (high == low && (low_excluded || high_excluded))) {
    return "";
  }
  // A double must not round onto a bound that is excluded; it tells 15 digits apart.
  int digits = kMaxFractionDigits;
  for (const auto& [excluded, bound] : {std::pair(low_excluded, low), {high_excluded, high}}) {
    if (excluded && bound != 0) {
      digits = std::min(digits, std::max(1, 15 - static_cast<int>(std::to_string(bound).size())));
    }
  }
  const std::string fraction = Format("(?:\\.[0-9]{{1,{}}})?", digits);
  std::string pattern;
  std::int64_t whole = low;  // the least whole part that may have any fraction
  if (low_excluded) {
    // At least one digit that is not 0.
    std::string above;
    for (int zeros = 0; zeros < digits; ++zeros) {
      AddAlternative(above, Format("0{{{}}}[1-9][0-9]{{0,{}}}", zeros, digits - zeros - 1));
    }
    if (low < high) {
      AddAlternative(pattern, Format("{}\\.(?:{})", low, above));
    }
    ++whole;
  }
  if (whole < high) {
    AddAlternative(pattern, NaturalPattern(whole, high - 1) + fraction);
  }
  if (!high_excluded && whole <= high) {
    AddAlternative(pattern, Format("{}(?:\\.0{{1,{}}})?", high, digits));
  }
  return pattern.empty() ? "" : Format("(?:{})", pattern);
}

}  // namespace

std::string IntegerPattern(std::int64_t low, std::int64_t high) {
  std::string pattern;
  if (low < 0) {
    AddAlternative(pattern, Format("-{}", NaturalPattern(std::max<std::int64_t>(1, -high), -low)));
  }
  if (high >= 0) {
    AddAlternative(pattern, NaturalPattern(std::max<std::int64_t>(0, low), high));
  }
  return pattern;
}

std::string AnyNumberPattern() {
  return Format("-?(?:0|[1-9][0-9]{{0,{}}})(?:\\.[0-9]{{1,{}}})?(?:[eE][+-]?[0-9]{{1,{}}})?",
                kMaxDigits - 1, kMaxFractionDigits, kMaxExponentDigits);
}

std::string BoundedNumberPattern(const NumberBounds& bounds) {
  std::string pattern = NonNegativePattern(bounds);
  // The numbers below zero are those above it with the bounds exchanged.
  NumberBounds mirrored = {.low_excluded = bounds.high_excluded,
                           .high_excluded = bounds.low_excluded};
  if (bounds.high.has_value()) {
    mirrored.low = -*bounds.high;
  }
  if (bounds.low.has_value()) {
    mirrored.high = -*bounds.low;
  }
  if (!bounds.low.has_value() || *bounds.low < 0) {
    if (mirrored.low.value_or(0) <= 0) {
      // No -0: from zero on, without zero.
      mirrored.low = 0;
      mirrored.low_excluded = true;
    }
    const std::string below = NonNegativePattern(mirrored);
    AddAlternative(pattern, below.empty() ? "" : Format("-{}", below));
  }
  return pattern;
}

}  // namespace tandem::grammar
