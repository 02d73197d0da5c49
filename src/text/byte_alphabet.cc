#include "text/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "base/utf8.h"

namespace tandem::text {
namespace {

constexpr char32_t kAlphabetEnd = 0x144;  // 0x100 + 68

constexpr bool StandsForItself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) ||
         (byte >= 0xAE && byte <= 0xFF);
}

struct Alphabet {
  std::array<std::uint16_t, 256> character_of{};
  std::array<std::int16_t, kAlphabetEnd> byte_of{};  // -1: not of the alphabet
};

constexpr Alphabet MakeAlphabet() {
  Alphabet alphabet;
  alphabet.byte_of.fill(-1);
  std::uint16_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::uint16_t character =
        StandsForItself(byte) ? static_cast<std::uint16_t>(byte) : next++;
    alphabet.character_of[byte] = character;
    alphabet.byte_of[character] = static_cast<std::int16_t>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = MakeAlphabet();

}  // namespace

std::string ByteCharacter(unsigned char byte) {
  std::string out;
  AppendUtf8(kAlphabet.character_of[byte], out);
  return out;
}

bool AppendShownBytes(std::string_view shown, std::string& out) {
  const std::size_t before = out.size();
  for (std::size_t i = 0; i < shown.size();) {
    // All characters of the alphabet take one or two bytes: no general decoder is needed.
    const auto lead = static_cast<unsigned char>(shown[i]);
    char32_t c = lead;
    std::size_t length = 1;
    if (lead >= 0xC2 && lead <= 0xC5 && i + 1 < shown.size()) {
      const auto trail = static_cast<unsigned char>(shown[i + 1]);
      c = (trail & 0xC0u) == 0x80 ? ((lead & 0x1Fu) << 6) | (trail & 0x3Fu) : kAlphabetEnd;
      length = 2;
    } else if (lead >= 0x80) {
      c = kAlphabetEnd;
    }
    if (c >= kAlphabetEnd || kAlphabet.byte_of[c] < 0) {
      out.resize(before);
      return false;
    }
    out += static_cast<char>(kAlphabet.byte_of[c]);
    i += length;
  }
  return true;
}

}  // namespace tandem::text
