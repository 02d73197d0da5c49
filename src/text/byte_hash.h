#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace tandem::text {

/// The 64 bits of `x` spread over all 64 bits of the result. Twice, because one multiplication
/// moves nothing downwards and pairs of token ids then gather in a few places of a table.
inline std::uint64_t MixBits(std::uint64_t x) {
  constexpr std::uint64_t kFactor = 0xD6E8FEB86659FD93U;
  x = (x ^ (x >> 32)) * kFactor;
  x = (x ^ (x >> 32)) * kFactor;
  return x ^ (x >> 32);
}

/// A hash of the bytes for tables in memory: fast on the few bytes of a token. Not stable between
/// machines of different byte order, and no defence against chosen collisions: tables that hold
/// what a client sends must bound the cost of a collision by themselves.
inline std::uint64_t HashBytes(std::string_view bytes) {
  std::uint64_t hash = bytes.size() * 0xA0761D6478BD642FU;
  const char* data = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t word = 0;
  for (; left >= 8; left -= 8, data += 8) {
    std::memcpy(&word, data, 8);
    hash = MixBits(hash ^ word);
  }
  word = 0;
  for (std::size_t i = 0; i < left; ++i) {
    word = (word << 8) | static_cast<unsigned char>(data[i]);
  }
  return MixBits(hash ^ word);
}

}  // namespace tandem::text
