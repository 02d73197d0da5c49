#include "cli/numbers.h"

#include <cmath>

#include "base/format.h"

namespace tandem {

std::string WithCommas(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t i = digits.size(); i > 3; i -= 3) {
    digits.insert(i - 3, ",");
  }
  return digits;
}

std::string ShortCount(std::uint64_t number) {
  const auto value = static_cast<double>(number);
  if (value >= 999.5e6) {
    return Format("{:.2f} B", value / 1e9);
  }
  if (value >= 999.5e3) {
    return Format("{:.{}f} M", value / 1e6, value < 10e6 ? 2 : value < 100e6 ? 1 : 0);
  }
  return WithCommas(number);
}

std::string TokenCount(std::uint64_t count) {
  return WithCommas(count) + (count == 1 ? " token" : " tokens");
}

std::string ShortSeconds(double seconds) {
  if (seconds >= 119.5) {
    const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
    return Format("{}:{:02} min", whole / 60, whole % 60);
  }
  return Format("{:.{}f} s", seconds, seconds < 9.995 ? 2 : 1);
}

std::string ShortRate(double per_second) {
  if (!(per_second > 0)) {
    return "–";
  }
  if (per_second >= 99.95) {
    return WithCommas(static_cast<std::uint64_t>(std::llround(per_second)));
  }
  return Format("{:.{}f}", per_second, per_second < 9.995 ? 2 : 1);
}

}  // namespace tandem
