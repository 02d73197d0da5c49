// The formats of 256 values with scaled sub-blocks: Q2_K to Q6_K. Layouts in blocks.h.

#include <array>
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

struct ScaleMin {
  int scale;
  int min;
};

/// The 6-bit scale and minimum of sub-block s (0..7) of Q4_K and Q5_K: the first four have 6 whole
/// bits in bytes 0-3 and 4-7; the others have 4 bits in bytes 8-11 and their upper 2 bits above the
/// first four's. Source: get_scale_min_k4 in ggml-quants.c.
ScaleMin UnpackK4(const std::uint8_t* packed, std::size_t s) {
  if (s < 4) {
    return {.scale = packed[s] & 63, .min = packed[s + 4] & 63};
  }
  return {.scale = (packed[s + 4] & 15) | ((packed[s - 4] >> 6) << 4),
          .min = (packed[s + 4] >> 4) | ((packed[s] >> 6) << 4)};
}

/// The sixteen 6-bit scales of Q3_K, less 32: scale s has its low nibble in byte s & 7 (low half
/// for s < 8) and its upper two bits in byte 8 + (s & 3), at bit 2 (s / 4).
std::array<int, 16> UnpackQ3Scales(const std::uint8_t* packed) {
  std::array<int, 16> scales{};
  for (std::size_t s = 0; s < scales.size(); ++s) {
    const int low = s < 8 ? packed[s] & 15 : packed[s - 8] >> 4;
    const int high = (packed[8 + s % 4] >> (2 * (s / 4))) & 3;
    scales[s] = (low | (high << 4)) - 32;
  }
  return scales;
}

}  // namespace

void DecodeQ2_K(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, out += BlockQ2_K::kLength) {
    const BlockQ2_K& block = As<BlockQ2_K>(blocks)[b];
    const float d = HalfToFloat(block.d);
    const float dmin = HalfToFloat(block.dmin);
    for (std::size_t i = 0; i < BlockQ2_K::kLength; ++i) {
      const int packed = block.scales[i / 16];
      const float scale = d * static_cast<float>(packed & 15);
      const float min = dmin * static_cast<float>(packed >> 4);
      const std::size_t half = i / 128;
      const std::size_t shift = 2 * (i % 128 / 32);
      const int q = (block.qs[32 * half + i % 32] >> shift) & 3;
      out[i] = scale * static_cast<float>(q) - min;
    }
  }
}

void DecodeQ3_K(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, out += BlockQ3_K::kLength) {
    const BlockQ3_K& block = As<BlockQ3_K>(blocks)[b];
    const float d = HalfToFloat(block.d);
    const std::array<int, 16> scales = UnpackQ3Scales(block.scales);
    for (std::size_t i = 0; i < BlockQ3_K::kLength; ++i) {
      const float scale = d * static_cast<float>(scales[i / 16]);
      const std::size_t half = i / 128;
      const std::size_t shift = 2 * (i % 128 / 32);
      const int low = (block.qs[32 * half + i % 32] >> shift) & 3;
      const int third = (block.hmask[i % 32] >> (i / 32)) & 1;
      out[i] = scale * static_cast<float>(low + 4 * third - 4);
    }
  }
}

void DecodeQ4_K(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, out += BlockQ4_K::kLength) {
    const BlockQ4_K& block = As<BlockQ4_K>(blocks)[b];
    const float d = HalfToFloat(block.d);
    const float dmin = HalfToFloat(block.dmin);
    for (std::size_t s = 0; s < 8; ++s) {
      const ScaleMin packed = UnpackK4(block.scales, s);
      const float scale = d * static_cast<float>(packed.scale);
      const float min = dmin * static_cast<float>(packed.min);
      const std::size_t shift = 4 * (s % 2);
      for (std::size_t i = 0; i < 32; ++i) {
        const int q = (block.qs[32 * (s / 2) + i] >> shift) & 15;
        out[32 * s + i] = scale * static_cast<float>(q) - min;
      }
    }
  }
}

void DecodeQ5_K(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, out += BlockQ5_K::kLength) {
    const BlockQ5_K& block = As<BlockQ5_K>(blocks)[b];
    const float d = HalfToFloat(block.d);
    const float dmin = HalfToFloat(block.dmin);
    for (std::size_t s = 0; s < 8; ++s) {
      const ScaleMin packed = UnpackK4(block.scales, s);
      const float scale = d * static_cast<float>(packed.scale);
      const float min = dmin * static_cast<float>(packed.min);
      const std::size_t shift = 4 * (s % 2);
      for (std::size_t i = 0; i < 32; ++i) {
        const int low = (block.qs[32 * (s / 2) + i] >> shift) & 15;
        const int fifth = (block.qh[i] >> s) & 1;
        out[32 * s + i] = scale * static_cast<float>(low + 16 * fifth) - min;
      }
    }
  }
}

void DecodeQ6_K(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, out += BlockQ6_K::kLength) {
    const BlockQ6_K& block = As<BlockQ6_K>(blocks)[b];
    const float d = HalfToFloat(block.d);
    for (std::size_t i = 0; i < BlockQ6_K::kLength; ++i) {
      const std::size_t sub_block = i / 16;
      const float scale = d * static_cast<float>(block.scales[sub_block]);
      const std::size_t half = i / 128;
      const std::size_t j = i % 128 / 32;
      const int low = (block.ql[64 * half + 32 * (j % 2) + i % 32] >> (4 * (j / 2))) & 15;
      const int high = (block.qh[32 * half + i % 32] >> (2 * j)) & 3;
      out[i] = scale * static_cast<float>((low | (high << 4)) - 32);
    }
  }
}

void DecodeIQ4_XS(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, out += BlockIQ4_XS::kLength) {
    const BlockIQ4_XS& block = As<BlockIQ4_XS>(blocks)[b];
    const float d = HalfToFloat(block.d);
    for (std::size_t s = 0; s < 8; ++s) {
      const int low = (block.scales_l[s / 2] >> (4 * (s % 2))) & 15;
      const int high = (block.scales_h >> (2 * s)) & 3;
      const float scale = d * static_cast<float>((low | (high << 4)) - 32);
      for (std::size_t i = 0; i < 16; ++i) {
        const std::uint8_t codes = block.qs[16 * s + i];
        out[32 * s + i] = scale * static_cast<float>(kIq4Values[codes & 15]);
        out[32 * s + i + 16] = scale * static_cast<float>(kIq4Values[codes >> 4]);
      }
    }
  }
}

}  // namespace tandem::quant
