#pragma once

#include <cstddef>
#include <cstdint>

/// Codebooks of the formats that code several values by one number; see codebooks.cc. Nothing but
/// data, so that kernels compiled for one instruction set may use them.
namespace tandem::quant {

extern const std::uint16_t kIq2XxsGrid[256];
extern const std::uint16_t kIq2XsGrid[512];
extern const std::uint16_t kIq2SGrid[1024];
extern const std::uint16_t kIq3XxsGrid[256];
extern const std::uint16_t kIq3SGrid[512];
extern const std::uint16_t kIq1Grid[2048];

/// What a level of IQ2 means, of IQ3_XXS, of IQ3_S; IQ1's level l means l - 1.
constexpr std::uint8_t kIq2Levels[4] = {8, 25, 43, 0};
constexpr std::uint8_t kIq3XxsLevels[8] = {4, 12, 20, 28, 36, 44, 52, 62};
constexpr std::uint8_t kIq3SLevels[8] = {1, 3, 5, 7, 9, 11, 13, 15};

/// The codebooks spelt out, a byte for each value, the first lowest. Entry: as many bytes as
/// values.
template <typename Entry, std::size_t kEntries>
struct ByteCodebook {
  Entry entry[kEntries];
};
/// Magnitudes.
extern const ByteCodebook<std::uint64_t, 256> kIq2XxsBytes;
extern const ByteCodebook<std::uint64_t, 512> kIq2XsBytes;
extern const ByteCodebook<std::uint64_t, 1024> kIq2SBytes;
extern const ByteCodebook<std::uint32_t, 256> kIq3XxsBytes;
extern const ByteCodebook<std::uint32_t, 512> kIq3SBytes;
/// Eight times the level.
extern const ByteCodebook<std::uint64_t, 2048> kIq1Bytes;

}  // namespace tandem::quant
