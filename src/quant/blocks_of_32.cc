// The formats whose blocks are 32 values with one scale: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, IQ4_NL.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/half.h"
#include "quant/blocks.h"
#include "quant/codecs.h"

namespace tandem::quant {
namespace {

template <typename Block>
const Block* As(const std::byte* blocks) {
  return reinterpret_cast<const Block*>(blocks);
}

constexpr std::size_t kHalf = 16;

/// The 5-bit code of value i (< 16) in `low`, of value i + 16 in `high`.
struct FiveBits {
  int low;
  int high;
};

template <typename Block>
FiveBits CodesAt(const Block& block, std::size_t i) {
  std::uint32_t fifth = 0;
  std::memcpy(&fifth, block.qh, sizeof(fifth));
  const unsigned low = (block.qs[i] & 15u) | (((fifth >> i) & 1u) << 4);
  const unsigned high =
      (static_cast<unsigned>(block.qs[i]) >> 4) | (((fifth >> (i + kHalf)) & 1u) << 4);
  return {.low = static_cast<int>(low), .high = static_cast<int>(high)};
}

/// roundf(x) for codes, half away from zero, without a call per value. The clamp changes nothing
/// for finite blocks; it keeps NaN and infinities from being converted to an integer they do not
/// fit.
std::int8_t RoundCode(float x) {
  const float clamped = x >= -127.0F ? std::min(x, 127.0F) : -127.0F;
  const int whole = static_cast<int>(clamped);
  const float rest = clamped - static_cast<float>(whole);  // exact
  return static_cast<std::int8_t>(whole + static_cast<int>(rest >= 0.5F) -
                                  static_cast<int>(rest <= -0.5F));
}

}  // namespace

void DecodeQ4_0(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, out += BlockQ4_0::kLength) {
    const BlockQ4_0& block = As<BlockQ4_0>(blocks)[b];
    const float d = HalfToFloat(block.d);
    for (std::size_t i = 0; i < kHalf; ++i) {
      out[i] = static_cast<float>((block.qs[i] & 15) - 8) * d;
      out[i + kHalf] = static_cast<float>((block.qs[i] >> 4) - 8) * d;
    }
  }
}

void DecodeQ4_1(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, out += BlockQ4_1::kLength) {
    const BlockQ4_1& block = As<BlockQ4_1>(blocks)[b];
    const float d = HalfToFloat(block.d);
    const float m = HalfToFloat(block.m);
    for (std::size_t i = 0; i < kHalf; ++i) {
      out[i] = static_cast<float>(block.qs[i] & 15) * d + m;
      out[i + kHalf] = static_cast<float>(block.qs[i] >> 4) * d + m;
    }
  }
}

void DecodeQ5_0(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, out += BlockQ5_0::kLength) {
    const BlockQ5_0& block = As<BlockQ5_0>(blocks)[b];
    const float d = HalfToFloat(block.d);
    for (std::size_t i = 0; i < kHalf; ++i) {
      const FiveBits codes = CodesAt(block, i);
      out[i] = static_cast<float>(codes.low - 16) * d;
      out[i + kHalf] = static_cast<float>(codes.high - 16) * d;
    }
  }
}

void DecodeQ5_1(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, out += BlockQ5_1::kLength) {
    const BlockQ5_1& block = As<BlockQ5_1>(blocks)[b];
    const float d = HalfToFloat(block.d);
    const float m = HalfToFloat(block.m);
    for (std::size_t i = 0; i < kHalf; ++i) {
      const FiveBits codes = CodesAt(block, i);
      out[i] = static_cast<float>(codes.low) * d + m;
      out[i + kHalf] = static_cast<float>(codes.high) * d + m;
    }
  }
}

void DecodeQ8_0(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, out += BlockQ8_0::kLength) {
    const BlockQ8_0& block = As<BlockQ8_0>(blocks)[b];
    const float d = HalfToFloat(block.d);
    for (std::size_t i = 0; i < BlockQ8_0::kLength; ++i) {
      out[i] = static_cast<float>(block.qs[i]) * d;
    }
  }
}

void DecodeIQ4_NL(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, out += BlockIQ4_NL::kLength) {
    const BlockIQ4_NL& block = As<BlockIQ4_NL>(blocks)[b];
    const float d = HalfToFloat(block.d);
    for (std::size_t i = 0; i < kHalf; ++i) {
      out[i] = d * static_cast<float>(kIq4Values[block.qs[i] & 15]);
      out[i + kHalf] = d * static_cast<float>(kIq4Values[block.qs[i] >> 4]);
    }
  }
}

void EncodeQ8_0(const float* values, const float*, std::size_t count, std::byte* blocks) {
  for (std::size_t b = 0; b < count; ++b, values += BlockQ8_0::kLength) {
    float largest = 0;
    for (std::size_t i = 0; i < BlockQ8_0::kLength; ++i) {
      largest = std::max(largest, std::fabs(values[i]));
    }
    const float d = largest / 127.0F;
    const float inverse = d != 0 ? 1.0F / d : 0.0F;
    BlockQ8_0 block{};
    block.d = FloatToHalf(d);
    for (std::size_t i = 0; i < BlockQ8_0::kLength; ++i) {
      block.qs[i] = RoundCode(values[i] * inverse);
    }
    std::memcpy(blocks + b * sizeof(block), &block, sizeof(block));
  }
}

}  // namespace tandem::quant
