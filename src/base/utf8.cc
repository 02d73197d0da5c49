#include "base/utf8.h"

#include "base/check.h"

namespace tandem {
namespace {

struct LeadByte {
  std::size_t length;  // of the whole sequence, 0 for a byte that starts none
  unsigned char second_low;
  unsigned char second_high;
};

// Unicode table 3-7: the range of the second byte excludes surrogates, overlong forms and values
// past U+10FFFF.
LeadByte ClassifyLead(unsigned char byte) {
  if (byte < 0x80) {
    return {1, 0, 0};
  }
  if (byte >= 0xC2 && byte <= 0xDF) {
    return {2, 0x80, 0xBF};
  }
  if (byte >= 0xE0 && byte <= 0xEF) {
    return {3, static_cast<unsigned char>(byte == 0xE0 ? 0xA0 : 0x80),
            static_cast<unsigned char>(byte == 0xED ? 0x9F : 0xBF)};
  }
  if (byte >= 0xF0 && byte <= 0xF4) {
    return {4, static_cast<unsigned char>(byte == 0xF0 ? 0x90 : 0x80),
            static_cast<unsigned char>(byte == 0xF4 ? 0x8F : 0xBF)};
  }
  return {0, 0, 0};
}

}  // namespace

Utf8Char DecodeUtf8(std::string_view text) {
  TANDEM_DCHECK(!text.empty(), "no character in an empty text");
  const auto first = static_cast<unsigned char>(text[0]);
  const LeadByte lead = ClassifyLead(first);
  if (lead.length == 1) {
    return {.code_point = first, .length = 1, .valid = true};
  }
  if (lead.length == 0) {
    return {};
  }
  char32_t code_point = first & (0x7Fu >> lead.length);
  for (std::size_t i = 1; i < lead.length; ++i) {
    if (i >= text.size()) {
      return {.length = i, .incomplete = true};
    }
    const auto byte = static_cast<unsigned char>(text[i]);
    const unsigned char low = i == 1 ? lead.second_low : 0x80;
    const unsigned char high = i == 1 ? lead.second_high : 0xBF;
    if (byte < low || byte > high) {
      return {.length = i};
    }
    code_point = (code_point << 6) | (byte & 0x3Fu);
  }
  return {.code_point = code_point, .length = lead.length, .valid = true};
}

void AppendUtf8(char32_t code_point, std::string& out) {
  const auto c = static_cast<std::uint32_t>(code_point);
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

std::size_t FindInvalidUtf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const Utf8Char c = DecodeUtf8(text.substr(i));
    if (!c.valid) {
      return i;
    }
    i += c.length;
  }
  return std::string_view::npos;
}

}  // namespace tandem
