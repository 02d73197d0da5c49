#include "text/char_table.h"

#include <utf8proc.h>

#include "base/utf8.h"

namespace tandem::text {
namespace {

// Unicode White_Space (PropList.txt), which is what \s means in the reference's patterns.
bool IsWhiteSpace(char32_t c) {
  return (c >= 0x9 && c <= 0xD) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

// Vowels and final consonants that join a preceding Hangul syllable by arithmetic (Unicode 3.12).
bool IsTrailingJamo(char32_t c) {
  return (c >= 0x1161 && c <= 0x1175) || (c >= 0x11A8 && c <= 0x11C2);
}

CharBits CategoryBits(char32_t c, utf8proc_category_t category) {
  switch (category) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
      return kLetter | kUpperRun;
    case UTF8PROC_CATEGORY_LL:
      return kLetter | kLowerRun;
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return kLetter | kUpperRun | kLowerRun;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return kMark | kUpperRun | kLowerRun;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return kNumber;
    default:
      return IsWhiteSpace(c) ? kSpace : kOther;
  }
}

const utf8proc_property_t& PropertyOf(char32_t c) {
  return *utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
}

}  // namespace

const CharTable& CharTable::Get() {
  static const CharTable table;
  return table;
}

CharTable::CharTable() {
  for (char32_t c = 0; c < kLimit; ++c) {
    bits_[c] = Compute(c);
  }
  MarkNfcUnsure();
}

CharBits CharTable::Compute(char32_t c) {
  const utf8proc_property_t& property = PropertyOf(c);
  CharBits bits = CategoryBits(c, static_cast<utf8proc_category_t>(property.category));
  if (c == '\r' || c == '\n') {
    bits |= kNewline;
  }
  if (property.combining_class != 0) {
    bits |= kCombining;
  }
  if (IsTrailingJamo(c)) {
    bits |= kNfcUnsure;
  }
  return bits;
}

// NFC_QC is No for what NFC changes by itself, Maybe for what can be the later part of a
// composition. The second set is taken a little too wide: every later part of a decomposition, also
// of those that are never composed again. The quick check may doubt in vain, never trust in vain.
void CharTable::MarkNfcUnsure() {
  std::array<utf8proc_int32_t, 8> parts{};
  for (char32_t c = 0; c < kLimit; ++c) {
    if (PropertyOf(c).decomp_seqindex == UINT16_MAX) {
      continue;
    }
    int boundclass = UTF8PROC_BOUNDCLASS_START;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(),
                                UTF8PROC_DECOMPOSE, &boundclass);
    for (std::size_t k = 1; k < static_cast<std::size_t>(count); ++k) {
      bits_[static_cast<std::size_t>(parts[k])] |= kNfcUnsure;
    }
    const utf8proc_ssize_t composed = utf8proc_normalize_utf32(
        parts.data(), count, static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
    if (composed != 1 || parts[0] != static_cast<utf8proc_int32_t>(c)) {
      bits_[c] |= kNfcUnsure;
    }
  }
}

CharScanner::Char CharScanner::AtNonAscii(std::size_t i) const {
  const Utf8Char c = DecodeUtf8(text_.substr(i));
  if (!c.valid) {
    return {.bits = kOther, .end = i + 1};
  }
  return {.bits = table_[c.code_point], .end = i + c.length};
}

}  // namespace tandem::text
