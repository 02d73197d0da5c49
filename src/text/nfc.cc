#include "text/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "text/char_table.h"

namespace tandem::text {
namespace {

// The code point before the first Hangul trailing consonant. It composes with nothing, but utf8proc
// 2.8 drops it behind a syllable without one (the off-by-one that Unicode 3.12 warns of).
constexpr char32_t kBeforeTrailingConsonants = 0x11A7;

utf8proc_propval_t CombiningClass(utf8proc_int32_t c) {
  return utf8proc_get_property(c)->combining_class;
}

// The number of leading bytes of `text` that are ASCII, rounded down to whole words of eight.
std::size_t AsciiWordsLength(std::string_view text) {
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + i, 8);
    if ((word & 0x8080808080808080U) != 0) {
      break;
    }
  }
  return i;
}

void AppendDecomposed(char32_t c, std::vector<utf8proc_int32_t>& out) {
  std::array<utf8proc_int32_t, 8> parts{};  // the longest canonical decomposition has four
  int boundclass = UTF8PROC_BOUNDCLASS_START;
  const utf8proc_ssize_t count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(),
                              UTF8PROC_DECOMPOSE, &boundclass);
  TANDEM_CHECK(count > 0 && count <= 8, "a canonical decomposition has one to four characters");
  out.insert(out.end(), parts.begin(), parts.begin() + count);
}

// Canonical ordering. Not left to utf8proc: it sorts by exchanging neighbours, which takes hours on
// a megabyte of marks in the wrong order.
void SortMarks(std::vector<utf8proc_int32_t>& text) {
  const auto by_class = [](utf8proc_int32_t a, utf8proc_int32_t b) {
    return CombiningClass(a) < CombiningClass(b);
  };
  auto begin = text.begin();
  while (begin != text.end()) {
    begin =
        std::find_if(begin, text.end(), [](utf8proc_int32_t c) { return CombiningClass(c) != 0; });
    const auto end =
        std::find_if(begin, text.end(), [](utf8proc_int32_t c) { return CombiningClass(c) == 0; });
    if (!std::is_sorted(begin, end, by_class)) {
      std::stable_sort(begin, end, by_class);
    }
    begin = end;
  }
}

// Appends the NFC form of `decomposed` to `out` and empties it.
void FlushComposed(std::vector<utf8proc_int32_t>& decomposed, std::string& out) {
  SortMarks(decomposed);
  const utf8proc_ssize_t length =
      utf8proc_normalize_utf32(decomposed.data(), static_cast<utf8proc_ssize_t>(decomposed.size()),
                               static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  TANDEM_CHECK(length >= 0, "composition has no way to fail");
  for (std::size_t i = 0; i < static_cast<std::size_t>(length); ++i) {
    AppendUtf8(static_cast<char32_t>(decomposed[i]), out);
  }
  decomposed.clear();
}

}  // namespace

bool IsSurelyNfc(std::string_view text) {
  const std::size_t start = AsciiWordsLength(text);
  if (start == text.size()) {
    return true;
  }
  const CharTable& table = CharTable::Get();
  utf8proc_propval_t last_class = 0;
  for (std::size_t i = start; i < text.size();) {
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      last_class = 0;
      ++i;
      continue;
    }
    const Utf8Char c = DecodeUtf8(text.substr(i));
    const CharBits bits = c.valid ? table[c.code_point] : kOther;
    if ((bits & kNfcUnsure) != 0) {
      return false;
    }
    const utf8proc_propval_t combining_class =
        (bits & kCombining) != 0 ? CombiningClass(static_cast<utf8proc_int32_t>(c.code_point)) : 0;
    if (combining_class != 0 && combining_class < last_class) {
      return false;
    }
    last_class = combining_class;
    i += c.length;
  }
  return true;
}

std::string ToNfc(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::vector<utf8proc_int32_t> decomposed;
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Char c = DecodeUtf8(text.substr(i));
    if (c.valid && c.code_point != kBeforeTrailingConsonants) {
      AppendDecomposed(c.code_point, decomposed);
    } else {
      FlushComposed(decomposed, out);
      out += text.substr(i, c.length);
    }
    i += c.length;
  }
  FlushComposed(decomposed, out);
  return out;
}

}  // namespace tandem::text
