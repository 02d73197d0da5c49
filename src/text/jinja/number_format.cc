#include "text/jinja/number_format.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/format.h"
#include "base/utf8.h"
#include "text/jinja/characters.h"
#include "text/jinja/printing.h"

namespace tandem::jinja {
namespace {

constexpr std::size_t kMostDigits = 4096;  // of a width or precision

bool IsAlign(char c) {
  return c == '<' || c == '>' || c == '^' || c == '=';
}

// Reads decimal digits from `text` at `at`.
Outcome<std::size_t> ReadCount(std::string_view text, std::size_t& at) {
  std::size_t count = 0;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
    count = count * 10 + static_cast<std::size_t>(text[at++] - '0');
    if (count > kMostDigits) {
      return ValueError("Too many decimal digits in format string");
    }
  }
  return count;
}

// Puts the grouping character into the digits before the point or exponent.
std::string Group(const std::string& digits, char grouping, std::size_t every) {
  if (grouping == 0) {
    return digits;
  }
  std::size_t whole = 0;
  while (whole < digits.size() && std::isxdigit(static_cast<unsigned char>(digits[whole])) != 0 &&
         (every == 4 || std::isdigit(static_cast<unsigned char>(digits[whole])) != 0)) {
    ++whole;
  }
  std::string out;
  for (std::size_t i = 0; i < whole; ++i) {
    if (i > 0 && (whole - i) % every == 0) {
      out += grouping;
    }
    out += digits[i];
  }
  return out + digits.substr(whole);
}

std::string SignOf(bool negative, char sign) {
  return std::string(negative || sign != '-' ? 1 : 0, negative ? '-' : sign);
}

Outcome<std::string> FormatInteger(Int value, const FormatSpec& spec) {
  if (spec.has_precision) {
    return ValueError("Precision not allowed in integer format specifier");
  }
  const bool negative = value < 0;
  // The lowest Int has no positive twin; nothing real prints it.
  const Int magnitude = negative ? -(value + 1) + 1 : value;
  std::string digits;
  std::string_view prefix;
  switch (spec.type) {
    case 'b':
      digits = Digits(magnitude, 2, false);
      prefix = "0b";
      break;
    case 'o':
      digits = Digits(magnitude, 8, false);
      prefix = "0o";
      break;
    case 'x':
    case 'X':
      digits = Digits(magnitude, 16, spec.type == 'X');
      prefix = spec.type == 'X' ? "0X" : "0x";
      break;
    case 'c': {
      if (value < 0 || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) {
        return Raised("OverflowError", "%c arg not in range(0x110000)");
      }
      AppendUtf8(static_cast<char32_t>(value), digits);
      return digits;
    }
    default:
      digits = Digits(magnitude, 10, false);
      break;
  }
  const bool decimal = prefix.empty();
  return Format("{}{}{}", SignOf(negative, spec.sign), spec.alternate ? prefix : "",
                Group(digits, spec.grouping, decimal ? 3 : 4));
}

Outcome<std::string> FormatReal(double value, const FormatSpec& spec) {
  const bool negative = std::signbit(value) && !std::isnan(value);
  const double magnitude = std::fabs(value);
  std::string digits;
  if (!std::isfinite(value)) {
    digits = std::isnan(value) ? "nan" : "inf";
    if (spec.type == 'F' || spec.type == 'E' || spec.type == 'G') {
      std::transform(digits.begin(), digits.end(), digits.begin(),
                     [](char c) { return static_cast<char>(c - 32); });
    }
  } else if (spec.type == 0) {
    digits = spec.has_precision
                 ? FormatDouble(magnitude, 'g', std::max<std::size_t>(spec.precision, 1), false)
                 : FloatRepr(magnitude);
    if (digits.find_first_of(".e") == std::string::npos) {
      digits += ".0";
    }
  } else {
    const bool percent = spec.type == '%';
    const char type = percent ? 'f' : spec.type == 'n' ? 'g' : spec.type;
    digits = FormatDouble(percent ? magnitude * 100 : magnitude, type,
                          spec.has_precision ? spec.precision : 6, spec.alternate);
    digits += percent ? "%" : "";
  }
  return SignOf(negative, spec.sign) + Group(digits, spec.grouping, 3);
}

}  // namespace

Outcome<FormatSpec> ParseFormatSpec(std::string_view text) {
  FormatSpec spec;
  std::size_t at = 0;
  const std::size_t first = text.empty() ? 0 : SkipCharacters(text, 0, 1);
  if (first < text.size() && first > 0 && IsAlign(text[first])) {
    spec.fill = std::string(text.substr(0, first));
    spec.align = text[first];
    at = first + 1;
  } else if (!text.empty() && IsAlign(text[0])) {
    spec.align = text[0];
    at = 1;
  }
  const auto take = [&](std::string_view any) -> char {
    return at < text.size() && any.find(text[at]) != std::string_view::npos ? text[at++] : '\0';
  };
  if (const char sign = take("+- "); sign != 0) {
    spec.sign = sign;
  }
  spec.alternate = take("#") != 0;
  if (take("0") != 0 && spec.align == 0) {
    spec.fill.assign(1, '0');
    spec.align = '=';
  }
  TANDEM_ASSIGN_OR_RETURN(spec.width, ReadCount(text, at));
  spec.grouping = take(",_");
  if (take(".") != 0) {
    const std::size_t digits = at;
    TANDEM_ASSIGN_OR_RETURN(spec.precision, ReadCount(text, at));
    if (at == digits) {
      return ValueError("Format specifier missing precision");
    }
    spec.has_precision = true;
  }
  if (at + 1 < text.size()) {
    return ValueError("Invalid format specifier");
  }
  if (at < text.size()) {
    spec.type = text[at];
  }
  return spec;
}

std::string Digits(Int value, int base, bool upper) {
  if (value == 0) {
    return "0";
  }
  const std::string_view digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string out;
  for (; value > 0; value /= base) {
    out += digits[static_cast<std::size_t>(value % base)];
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::string FormatDouble(double value, char type, std::size_t precision, bool alternate) {
  const std::string format = std::string(alternate ? "%#.*" : "%.*") + type;
  const int wanted = static_cast<int>(std::min(precision, kMostDigits));
  std::string out(static_cast<std::size_t>(wanted) + 400, '\0');  // 1e308 has 309 digits
  const int length = std::snprintf(out.data(), out.size(), format.c_str(), wanted, value);
  out.resize(static_cast<std::size_t>(std::max(length, 0)));
  return out;
}

Outcome<std::string> FormatNumber(const Value& number, const FormatSpec& spec) {
  constexpr std::string_view kIntegerTypes = "bcdoxXn";
  constexpr std::string_view kRealTypes = "eEfFgGn%";
  const bool integer = number.integral();
  if (integer && (spec.type == 0 || kIntegerTypes.find(spec.type) != std::string_view::npos)) {
    return FormatInteger(number.AsInt(), spec);
  }
  if (spec.type == 0 || kRealTypes.find(spec.type) != std::string_view::npos) {
    return FormatReal(number.AsDouble(), spec);
  }
  return ValueError(
      Format("Unknown format code '{}' for object of type '{}'", spec.type, number.TypeName()));
}

MarkedText Pad(const MarkedText& text, const FormatSpec& spec, char default_align) {
  const std::size_t length = CountCharacters(text.bytes());
  if (length >= spec.width) {
    return text;
  }
  const std::size_t missing = spec.width - length;
  const char align = spec.align == 0 ? default_align : spec.align;
  std::size_t left = 0;
  std::size_t split = 0;  // where "=" padding goes: after the sign and the base prefix
  if (align == '>') {
    left = missing;
  } else if (align == '^') {
    left = missing / 2;
  } else if (align == '=') {
    left = missing;
    const std::string& bytes = text.bytes();
    split = !bytes.empty() && (bytes[0] == '-' || bytes[0] == '+' || bytes[0] == ' ') ? 1 : 0;
    if (spec.alternate && bytes.size() > split + 1 && bytes[split] == '0' &&
        std::isalpha(static_cast<unsigned char>(bytes[split + 1])) != 0) {
      split += 2;
    }
  }
  MarkedText out = text.Substr(0, split);
  for (std::size_t i = 0; i < left; ++i) {
    out.Append(spec.fill, true);
  }
  out.AppendRange(text, split, text.size());
  for (std::size_t i = left; i < missing; ++i) {
    out.Append(spec.fill, true);
  }
  return out;
}

}  // namespace tandem::jinja
