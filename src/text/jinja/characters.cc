#include "text/jinja/characters.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "base/utf8.h"

namespace tandem::jinja {
namespace {

utf8proc_category_t Category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

struct SpecialUpper {
  char32_t from;
  std::string_view upper;
  std::string_view title;
};

// Unicode's SpecialCasing.txt, the unconditional rows that Latin, Greek and Armenian text meets.
constexpr SpecialUpper kSpecialUpper[] = {
    {0x00DF, "SS", "Ss"},
    {0x0149, "\u02BCN", "\u02BCN"},
    {0x01F0, "J\u030C", "J\u030C"},
    {0x0390, "\u0399\u0308\u0301", "\u0399\u0308\u0301"},
    {0x03B0, "\u03A5\u0308\u0301", "\u03A5\u0308\u0301"},
    {0x0587, "\u0535\u0552", "\u0535\u0582"},
    {0x1E96, "H\u0331", "H\u0331"},
    {0x1E97, "T\u0308", "T\u0308"},
    {0x1E98, "W\u030A", "W\u030A"},
    {0x1E99, "Y\u030A", "Y\u030A"},
    {0x1E9A, "A\u02BE", "A\u02BE"},
    {0xFB00, "FF", "Ff"},
    {0xFB01, "FI", "Fi"},
    {0xFB02, "FL", "Fl"},
    {0xFB03, "FFI", "Ffi"},
    {0xFB04, "FFL", "Ffl"},
    {0xFB05, "ST", "St"},
    {0xFB06, "ST", "St"},
};

const SpecialUpper* FindSpecial(char32_t c) {
  if (c < 0x80) {
    return nullptr;
  }
  const auto* const found = std::find_if(std::begin(kSpecialUpper), std::end(kSpecialUpper),
                                         [c](const SpecialUpper& row) { return row.from == c; });
  return found == std::end(kSpecialUpper) ? nullptr : found;
}

}  // namespace

bool IsSpace(char32_t c) {
  if (c < 0x80) {
    return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
  }
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool IsLineBreak(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

bool IsAlpha(char32_t c) {
  const utf8proc_category_t category = Category(c);
  return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
         category == UTF8PROC_CATEGORY_LT || category == UTF8PROC_CATEGORY_LM ||
         category == UTF8PROC_CATEGORY_LO;
}

bool IsDecimal(char32_t c) {
  return c < 0x80 ? c >= '0' && c <= '9' : Category(c) == UTF8PROC_CATEGORY_ND;
}

bool IsDigit(char32_t c) {
  // Besides decimals: superscripts, subscripts and the enclosed digits (Numeric_Type=Digit).
  return IsDecimal(c) || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 ||
         (c >= 0x2074 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089) ||
         (c >= 0x2460 && c <= 0x2468) || (c >= 0x2474 && c <= 0x247C) ||
         (c >= 0x2488 && c <= 0x2490);
}

bool IsNumeric(char32_t c) {
  const utf8proc_category_t category = Category(c);
  constexpr std::u32string_view kHanNumbers =
      U"\u96F6\u4E00\u4E8C\u4E09\u56DB\u4E94\u516D\u4E03"
      U"\u516B\u4E5D\u5341\u767E\u5343\u842C\u4E07\u5104";
  return IsDigit(c) || category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_NO ||
         kHanNumbers.find(c) != std::u32string_view::npos;
}

bool IsUpper(char32_t c) {
  if (c < 0x80) {
    return c >= 'A' && c <= 'Z';
  }
  return Category(c) == UTF8PROC_CATEGORY_LU || (c >= 0x2160 && c <= 0x216F) ||
         (c >= 0x24B6 && c <= 0x24CF);
}

bool IsLower(char32_t c) {
  if (c < 0x80) {
    return c >= 'a' && c <= 'z';
  }
  return Category(c) == UTF8PROC_CATEGORY_LL || c == 0xAA || c == 0xBA ||
         (c >= 0x2170 && c <= 0x217F) || (c >= 0x24D0 && c <= 0x24E9);
}

bool IsTitleCase(char32_t c) {
  return c >= 0x80 && Category(c) == UTF8PROC_CATEGORY_LT;
}

bool IsCased(char32_t c) {
  return IsUpper(c) || IsLower(c) || IsTitleCase(c);
}

bool IsPrintable(char32_t c) {
  if (c < 0x7F) {
    return c >= 0x20;
  }
  switch (Category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

bool IsWord(char32_t c) {
  return c == '_' || IsAlpha(c) || IsNumeric(c);
}

void AppendUpper(char32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  } else if (const SpecialUpper* special = FindSpecial(c)) {
    out += special->upper;
  } else {
    AppendUtf8(static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))), out);
  }
}

void AppendLower(char32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  } else if (c == 0x130) {
    out += "i\u0307";
  } else {
    AppendUtf8(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))), out);
  }
}

void AppendTitle(char32_t c, std::string& out) {
  if (c < 0x80) {
    AppendUpper(c, out);
  } else if (const SpecialUpper* special = FindSpecial(c)) {
    out += special->title;
  } else {
    AppendUtf8(static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))), out);
  }
}

void AppendFolded(char32_t c, std::string& out) {
  if (c < 0x80) {
    AppendLower(c, out);
    return;
  }
  std::array<utf8proc_int32_t, 8> folded = {};
  int last_boundclass = 0;
  const utf8proc_ssize_t count = utf8proc_decompose_char(
      static_cast<utf8proc_int32_t>(c), folded.data(), static_cast<utf8proc_ssize_t>(folded.size()),
      UTF8PROC_CASEFOLD, &last_boundclass);
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    AppendUtf8(static_cast<char32_t>(folded[static_cast<std::size_t>(i)]), out);
  }
}

std::size_t CountCharacters(std::string_view text) {
  // Continuation bytes are 10xxxxxx.
  std::size_t count = 0;
  for (const char byte : text) {
    count += (static_cast<unsigned char>(byte) & 0xC0u) != 0x80u ? 1u : 0u;
  }
  return count;
}

std::size_t SkipCharacters(std::string_view text, std::size_t from, std::size_t count) {
  while (count > 0 && from < text.size()) {
    ++from;
    while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0u) == 0x80u) {
      ++from;
    }
    --count;
  }
  return from;
}

std::size_t PreviousCharacter(std::string_view text, std::size_t end) {
  --end;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0u) == 0x80u) {
    --end;
  }
  return end;
}

Trimmed TrimSpace(std::string_view text, bool left, bool right) {
  Trimmed rest{0, text.size()};
  while (left && rest.begin < rest.end) {
    const Utf8Char c = DecodeUtf8(text.substr(rest.begin));
    if (!IsSpace(c.code_point)) {
      break;
    }
    rest.begin += c.length;
  }
  while (right && rest.end > rest.begin) {
    const std::size_t before = PreviousCharacter(text, rest.end);
    if (!IsSpace(DecodeUtf8(text.substr(before)).code_point)) {
      break;
    }
    rest.end = before;
  }
  return rest;
}

}  // namespace tandem::jinja
