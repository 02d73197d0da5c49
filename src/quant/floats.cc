#include <cstdint>
#include <cstring>

#include "base/half.h"
#include "quant/codecs.h"

namespace tandem::quant {
namespace {

std::uint16_t LoadHalf(const std::byte* from) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, from, sizeof(bits));
  return bits;
}

void StoreHalf(std::uint16_t bits, std::byte* to) {
  std::memcpy(to, &bits, sizeof(bits));
}

}  // namespace

void DecodeF32(const std::byte* blocks, std::size_t count, float* out) {
  std::memcpy(out, blocks, count * sizeof(float));
}

void DecodeF16(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = HalfToFloat(LoadHalf(blocks + 2 * i));
  }
}

void DecodeBf16(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = Bf16ToFloat(LoadHalf(blocks + 2 * i));
  }
}

void EncodeF32(const float* values, const float*, std::size_t count, std::byte* blocks) {
  std::memcpy(blocks, values, count * sizeof(float));
}

void EncodeF16(const float* values, const float*, std::size_t count, std::byte* blocks) {
  for (std::size_t i = 0; i < count; ++i) {
    StoreHalf(FloatToHalf(values[i]), blocks + 2 * i);
  }
}

void EncodeBf16(const float* values, const float*, std::size_t count, std::byte* blocks) {
  for (std::size_t i = 0; i < count; ++i) {
    StoreHalf(FloatToBf16(values[i]), blocks + 2 * i);
  }
}

}  // namespace tandem::quant
