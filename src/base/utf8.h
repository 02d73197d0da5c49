#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tandem {

/// One decoded character. When `valid` is false, `length` is that of the maximal ill-formed subpart
/// (Unicode chapter 3, table 3-8; WHATWG), at least 1, and `code_point` is U+FFFD.
struct Utf8Char {
  char32_t code_point = 0xFFFD;
  std::size_t length = 1;
  bool valid = false;
  /// The text ends inside a sequence that more bytes could complete.
  bool incomplete = false;
};

/// The first character of `text`, which must not be empty.
Utf8Char DecodeUtf8(std::string_view text);

/// Appends the UTF-8 form of `code_point` (a Unicode scalar value) to `out`.
void AppendUtf8(char32_t code_point, std::string& out);

/// The offset of the first ill-formed byte, or npos when all of `text` is valid UTF-8.
std::size_t FindInvalidUtf8(std::string_view text);

}  // namespace tandem
