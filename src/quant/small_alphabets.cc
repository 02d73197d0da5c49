// The formats of very few values: ternary TQ1_0 and TQ2_0, and MXFP4. Layouts in blocks.h.

#include <bit>
#include <cstdint>

#include "base/half.h"
#include "quant/blocks.h"
#include "quant/codecs.h"

namespace tandem::quant {
namespace {

template <typename Block>
const Block* As(const std::byte* blocks) {
  return reinterpret_cast<const Block*>(blocks);
}

constexpr unsigned kPowersOf3[5] = {1, 3, 9, 27, 81};

/// Digit n of a byte of base-3 digits, less one.
float Trit(std::uint8_t byte, std::size_t n) {
  const unsigned fraction = (byte * kPowersOf3[n]) & 255u;
  return static_cast<float>(static_cast<int>((fraction * 3) >> 8) - 1);
}

/// 2^(e - 128): MXFP4's table holds twice the values, so half the scale is applied.
float HalfScale(std::uint8_t e) {
  // The two smallest are subnormal.
  return e < 2 ? std::bit_cast<float>(0x00200000u << e)
               : std::bit_cast<float>(static_cast<std::uint32_t>(e - 1) << 23);
}

}  // namespace

void DecodeTQ1_0(const std::byte* blocks, std::size_t count, float* out) {
  struct Stretch {  // bytes whose first digits come first, then their second digits, ...
    std::size_t begin;
    std::size_t bytes;
  };
  constexpr Stretch kStretches[] = {{0, 32}, {32, 16}};
  for (std::size_t b = 0; b < count; ++b) {
    const BlockTQ1_0& block = As<BlockTQ1_0>(blocks)[b];
    const float d = HalfToFloat(block.d);
    for (const Stretch& stretch : kStretches) {
      for (std::size_t n = 0; n < 5; ++n) {
        for (std::size_t i = 0; i < stretch.bytes; ++i) {
          *out++ = Trit(block.qs[stretch.begin + i], n) * d;
        }
      }
    }
    for (std::size_t n = 0; n < 4; ++n) {
      for (const std::uint8_t byte : block.qh) {
        *out++ = Trit(byte, n) * d;
      }
    }
  }
}

void DecodeTQ2_0(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b) {
    const BlockTQ2_0& block = As<BlockTQ2_0>(blocks)[b];
    const float d = HalfToFloat(block.d);
    for (std::size_t half = 0; half < 2; ++half) {
      for (std::size_t j = 0; j < 4; ++j) {
        for (std::size_t i = 0; i < 32; ++i) {
          const int q = (block.qs[32 * half + i] >> (2 * j)) & 3;
          *out++ = static_cast<float>(q - 1) * d;
        }
      }
    }
  }
}

void DecodeMXFP4(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, out += BlockMXFP4::kLength) {
    const BlockMXFP4& block = As<BlockMXFP4>(blocks)[b];
    const float d = HalfScale(block.e);
    for (std::size_t i = 0; i < 16; ++i) {
      out[i] = static_cast<float>(kMxfp4Values[block.qs[i] & 15]) * d;
      out[i + 16] = static_cast<float>(kMxfp4Values[block.qs[i] >> 4]) * d;
    }
  }
}

}  // namespace tandem::quant
