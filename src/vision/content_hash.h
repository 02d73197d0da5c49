#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace tandem {

inline constexpr std::uint64_t kHashSeed = 0x9E3779B97F4A7C15;

/// Mixes 64 bits so that each depends on all. Source: the finaliser of SplitMix64 (Steele, Lea,
/// Flood, 2014).
constexpr std::uint64_t MixBits(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

/// Names content within this program: not for anything that somebody may want to forge, and not
/// stable between releases.
inline std::uint64_t HashBytes(std::span<const std::byte> bytes, std::uint64_t hash) {
  hash = MixBits(hash ^ bytes.size());
  std::size_t i = 0;
  for (; i + sizeof(std::uint64_t) <= bytes.size(); i += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, sizeof(word));
    hash = MixBits(hash ^ word) + kHashSeed;
  }
  std::uint64_t last = 0;
  if (i < bytes.size()) {
    std::memcpy(&last, bytes.data() + i, bytes.size() - i);
  }
  return MixBits(hash ^ last);
}

}  // namespace tandem
