#include "text/jinja/literals.h"

#include <array>

#include "base/utf8.h"
#include "text/jinja/number_parse.h"

namespace tandem::jinja {
namespace {

bool IsDigitOf(int base, char c) {
  if (base == 16) {
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
  }
  return c >= '0' && c < '0' + base;
}

// The end of digits from `at`, single underscores between them allowed.
std::size_t SkipDigits(std::string_view text, std::size_t at, int base) {
  std::size_t end = at;
  while (end < text.size()) {
    const bool joined =
        text[end] == '_' && end > at && end + 1 < text.size() && IsDigitOf(base, text[end + 1]);
    if (!joined && !IsDigitOf(base, text[end])) {
      break;
    }
    end += joined ? 2 : 1;
  }
  return end;
}

// The end of a float that starts at 0, or 0 when there is none: digits, then a fraction, an
// exponent or both.
std::size_t FloatEnd(std::string_view text) {
  const std::size_t whole = SkipDigits(text, 0, 10);
  std::size_t end = whole;
  if (end < text.size() && text[end] == '.') {
    const std::size_t fraction = SkipDigits(text, end + 1, 10);
    end = fraction > end + 1 ? fraction : end;
  }
  if (end < text.size() && (text[end] | 0x20) == 'e') {
    const std::size_t sign =
        end + 1 < text.size() && (text[end + 1] == '+' || text[end + 1] == '-') ? 1 : 0;
    const std::size_t exponent = SkipDigits(text, end + 1 + sign, 10);
    end = exponent > end + 1 + sign ? exponent : end;
  }
  return end == whole ? 0 : end;
}

// The end of an integer that starts at 0: 0x, 0o and 0b, decimals without leading zeros.
std::size_t IntegerEnd(std::string_view text) {
  if (text[0] != '0' || text.size() < 2) {
    return SkipDigits(text, 0, 10);
  }
  constexpr std::array<std::pair<char, int>, 3> kPrefixes = {{{'b', 2}, {'o', 8}, {'x', 16}}};
  for (const auto& [letter, base] : kPrefixes) {
    if ((text[1] | 0x20) == letter) {
      const std::size_t begin = text.size() > 2 && text[2] == '_' ? 3 : 2;
      const std::size_t end = SkipDigits(text, begin, base);
      return end > begin ? end : 1;
    }
  }
  return SkipDigits(text, 0, 1);  // only zeros
}

// Hexadecimal digits, exactly `count` of them, or nothing.
std::optional<char32_t> ReadHex(std::string_view text, std::size_t count) {
  if (text.size() < count) {
    return std::nullopt;
  }
  char32_t value = 0;
  for (const char c : text.substr(0, count)) {
    if (!IsDigitOf(16, c)) {
      return std::nullopt;
    }
    value = value * 16 + static_cast<char32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return value;
}

constexpr std::string_view kSimple = "\\'\"abfnrtv";
constexpr std::string_view kSimpleMeaning = "\\'\"\a\b\f\n\r\t\v";

// Decodes the escape after the backslash at `at` - 1; moves `at` past it.
void DecodeEscape(std::string_view body, std::size_t& at, StringLiteral& out) {
  const char c = body[at];
  if (c == '\n') {  // a continued line
    ++at;
    return;
  }
  if (const std::size_t i = kSimple.find(c); i != std::string_view::npos) {
    out.text += kSimpleMeaning[i];
    ++at;
    return;
  }
  if (IsDigitOf(8, c)) {
    char32_t value = 0;
    for (int i = 0; i < 3 && at < body.size() && IsDigitOf(8, body[at]); ++i) {
      value = value * 8 + static_cast<char32_t>(body[at++] - '0');
    }
    AppendUtf8(value, out.text);
    return;
  }
  const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (digits > 0) {
    const std::optional<char32_t> value = ReadHex(body.substr(at + 1), digits);
    if (!value.has_value() || *value > 0x10FFFF) {
      out.error = c == 'x'   ? "truncated \\xXX escape"
                  : c == 'u' ? "truncated \\uXXXX escape"
                             : "illegal Unicode character";
      return;
    }
    // A lone surrogate has no UTF-8 form.
    AppendUtf8(*value >= 0xD800 && *value <= 0xDFFF ? 0xFFFD : *value, out.text);
    at += digits + 1;
    return;
  }
  if (c == 'N') {
    out.error = "character names (\\N{...}) are not supported";
    return;
  }
  out.text += '\\';  // an unknown escape stays as it is
}

}  // namespace

NumberLiteral ReadNumber(std::string_view text, bool fraction) {
  NumberLiteral number;
  const std::size_t float_end = fraction ? FloatEnd(text) : 0;
  if (float_end > 0) {
    number.length = float_end;
    number.real = ParseDouble(text.substr(0, float_end));
    if (!number.real.has_value()) {
      number.error = "malformed number";
    }
    return number;
  }
  number.length = IntegerEnd(text);
  const Outcome<std::optional<Int>> parsed = ParseInteger(text.substr(0, number.length), 0);
  if (!parsed.ok() || !parsed->has_value()) {
    number.error = parsed.ok() ? "malformed number" : "integer is too large";
    return number;
  }
  number.integer = **parsed;
  return number;
}

StringLiteral DecodeString(std::string_view body) {
  StringLiteral out;
  std::size_t at = 0;
  while (at < body.size() && out.error.empty()) {
    const std::size_t backslash = std::min(body.find('\\', at), body.size());
    out.text += body.substr(at, backslash - at);
    at = backslash + 1;
    if (backslash < body.size()) {
      if (at == body.size()) {
        out.error = "\\ at end of string";
        break;
      }
      DecodeEscape(body, at, out);
    }
  }
  return out;
}

}  // namespace tandem::jinja
