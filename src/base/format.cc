#include "base/format.h"

#include <array>

#include "base/utf8.h"

namespace tandem {

std::string Printable(std::string_view text, std::size_t limit) {
  std::string out;
  std::size_t i = 0;
  while (i < text.size()) {
    if (out.size() >= limit) {
      return out + "...";
    }
    const Utf8Char c = DecodeUtf8(text.substr(i));
    const auto byte = static_cast<unsigned char>(text[i]);
    if (!c.valid || byte < 0x20 || byte == 0x7F) {
      out += Format("\\x{:02X}", byte);
      i += 1;
    } else {
      out += text.substr(i, c.length);
      i += c.length;
    }
  }
  return out;
}

std::string FormatBytes(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  while (bytes >= 999.5 && unit + 1 < kUnits.size()) {
    bytes /= 1000;
    ++unit;
  }
  if (unit == 0) {
    return Format("{:.0f} B", bytes);
  }
  return bytes < 10 ? Format("{:.2f} {}", bytes, kUnits[unit])
                    : Format("{:.{}f} {}", bytes, bytes < 100 ? 1 : 0, kUnits[unit]);
}

}  // namespace tandem
