#include "text/jinja/number_parse.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "text/jinja/characters.h"

namespace tandem::jinja {
namespace {

int DigitValue(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'z') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 99;
}

// The base that a prefix such as 0x names, or 0.
Int PrefixBase(std::string_view text) {
  if (text.size() < 2 || text[0] != '0') {
    return 0;
  }
  switch (text[1] | 0x20) {
    case 'x':
      return 16;
    case 'o':
      return 8;
    case 'b':
      return 2;
    default:
      return 0;
  }
}

std::string_view Stripped(std::string_view text) {
  const Trimmed rest = TrimSpace(text, true, true);
  return text.substr(rest.begin, rest.end - rest.begin);
}

}  // namespace

Outcome<std::optional<Int>> ParseInteger(std::string_view text, Int base) {
  std::string_view rest = Stripped(text);
  const bool negative = !rest.empty() && rest[0] == '-';
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) {
    rest.remove_prefix(1);
  }
  const Int named = PrefixBase(rest);
  if (named != 0 && (base == 0 || base == named)) {
    base = named;
    rest.remove_prefix(2);
    if (!rest.empty() && rest[0] == '_') {
      rest.remove_prefix(1);
    }
  } else if (base == 0) {
    base = 10;
    if (rest.size() > 1 && rest[0] == '0' && rest.find_first_not_of("0_") != rest.npos) {
      return std::optional<Int>();
    }
  }
  if (rest.empty() || rest.front() == '_' || rest.back() == '_' || base < 2 || base > 36) {
    return std::optional<Int>();
  }
  Int value = 0;
  bool after_digit = false;
  for (const char c : rest) {
    if (c == '_' && after_digit) {
      after_digit = false;
      continue;
    }
    const int digit = DigitValue(c);
    if (digit >= base) {
      return std::optional<Int>();
    }
    if (__builtin_mul_overflow(value, base, &value) ||
        __builtin_add_overflow(value, Int{digit}, &value)) {
      return Raised("OverflowError", "integer is too large");
    }
    after_digit = true;
  }
  return std::optional<Int>(negative ? -value : value);
}

std::optional<double> ParseDouble(std::string_view text) {
  std::string digits;
  const std::string_view rest = Stripped(text);
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const bool between_digits = i > 0 && i + 1 < rest.size() && DigitValue(rest[i - 1]) < 10 &&
                                DigitValue(rest[i + 1]) < 10;
    if (rest[i] != '_') {
      digits += static_cast<char>(rest[i] >= 'A' && rest[i] <= 'Z' ? rest[i] + 32 : rest[i]);
    } else if (!between_digits) {
      return std::nullopt;
    }
  }
  const bool negative = !digits.empty() && digits[0] == '-';
  const std::size_t sign = !digits.empty() && (digits[0] == '-' || digits[0] == '+') ? 1 : 0;
  const std::string_view body = std::string_view(digits).substr(sign);
  double value = 0;
  if (body == "inf" || body == "infinity") {
    value = std::numeric_limits<double>::infinity();
  } else if (body == "nan") {
    value = std::numeric_limits<double>::quiet_NaN();
  } else {
    if (body.empty() || (DigitValue(body[0]) > 9 && body[0] != '.')) {
      return std::nullopt;
    }
    const auto result = std::from_chars(body.data(), body.data() + body.size(), value);
    if (result.ptr != body.data() + body.size() || result.ec == std::errc::invalid_argument) {
      return std::nullopt;
    }
    if (result.ec == std::errc::result_out_of_range) {
      value = std::strtod(std::string(body).c_str(), nullptr);
    }
  }
  return negative ? -value : value;
}

Outcome<Int> Truncated(double value) {
  constexpr double kLargest = 1.7e38;  // just below 2^127
  if (!(std::fabs(value) < kLargest)) {
    return Raised("OverflowError", "cannot convert float to integer");
  }
  return static_cast<Int>(value);
}

}  // namespace tandem::jinja
