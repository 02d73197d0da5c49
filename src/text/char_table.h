#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tandem::text {

/// What the pre-tokenisers and the NFC quick check ask of a character, as a set of bits. Every
/// character has at least one; the end of the text has none.
using CharBits = std::uint16_t;

inline constexpr CharBits kLetter = 1 << 0;    // general category L
inline constexpr CharBits kMark = 1 << 1;      // M
inline constexpr CharBits kNumber = 1 << 2;    // N
inline constexpr CharBits kSpace = 1 << 3;     // White_Space, newlines included
inline constexpr CharBits kNewline = 1 << 4;   // CR and LF only
inline constexpr CharBits kOther = 1 << 5;     // none of the above, unassigned included
inline constexpr CharBits kUpperRun = 1 << 6;  // Lu, Lt, Lm, Lo, M: the first half of an o200k word
inline constexpr CharBits kLowerRun = 1 << 7;  // Ll, Lm, Lo, M: the second half
inline constexpr CharBits kCombining = 1 << 8;  // canonical combining class is not 0
inline constexpr CharBits kNfcUnsure = 1 << 9;  // NFC may change it or join it to its predecessor

/// The bits of every character, from utf8proc's Unicode 15 tables. Immutable; thread-safe.
class CharTable {
 public:
  /// The one table of the process, built at the first call (about a millisecond).
  static const CharTable& Get();

  CharBits operator[](char32_t c) const { return c < kLimit ? bits_[c] : Compute(c); }

 private:
  // Planes 0-3 hold all letters, numbers and marks but for plane 14's variation selectors.
  static constexpr char32_t kLimit = 0x40000;

  CharTable();
  static CharBits Compute(char32_t c);
  void MarkNfcUnsure();

  std::array<CharBits, kLimit> bits_;
};

/// Reads a UTF-8 text by character classes. An ill-formed byte counts as one kOther character. The
/// text must outlive it.
class CharScanner {
 public:
  struct Char {
    CharBits bits = 0;    // 0 at the end of the text
    std::size_t end = 0;  // where the next character starts
  };

  explicit CharScanner(std::string_view text) : text_(text), table_(CharTable::Get()) {}

  std::string_view Text() const { return text_; }

  /// The character that starts at byte `i`, which may be the end of the text.
  Char At(std::size_t i) const {
    if (i >= text_.size()) {
      return {.bits = 0, .end = i};
    }
    const auto byte = static_cast<unsigned char>(text_[i]);
    return byte < 0x80 ? Char{.bits = table_[byte], .end = i + 1} : AtNonAscii(i);
  }

  /// The end of the longest run from byte `i` whose characters all have one of the bits of `any`.
  std::size_t RunEnd(std::size_t i, CharBits any) const {
    for (Char c = At(i); (c.bits & any) != 0; c = At(i)) {
      i = c.end;
    }
    return i;
  }

 private:
  Char AtNonAscii(std::size_t i) const;

  std::string_view text_;
  const CharTable& table_;
};

}  // namespace tandem::text
