// The formats whose numbers are places in a codebook: IQ1, IQ2 and IQ3. Layouts in blocks.h.

#include <bit>
#include <cstdint>
#include <cstring>

#include "base/half.h"
#include "quant/blocks.h"
#include "quant/codebooks.h"
#include "quant/codecs.h"

namespace tandem::quant {
namespace {

template <typename Block>
const Block* As(const std::byte* blocks) {
  return reinterpret_cast<const Block*>(blocks);
}

std::uint32_t Load32(const std::uint8_t* from) {
  std::uint32_t value = 0;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

/// Eight signs from seven: bit 7 makes the number of set bits even.
unsigned EvenSigns(unsigned seven) {
  return seven | (static_cast<unsigned>(std::popcount(seven) & 1) << 7);
}

/// out[i] = scale * level i of `entry`, negated where bit i of `signs` is set; eight of them.
void SignedLevels2(unsigned entry, unsigned signs, float scale, float* out) {
  for (unsigned i = 0; i < 8; ++i) {
    const float value = scale * static_cast<float>(kIq2Levels[(entry >> (2 * i)) & 3]);
    out[i] = ((signs >> i) & 1) != 0 ? -value : value;
  }
}
/// The same of three bits, four of them; levels: their meaning.
void SignedLevels3(unsigned entry, const std::uint8_t* levels, unsigned signs, float scale,
                   float* out) {
  for (unsigned i = 0; i < 4; ++i) {
    const float value = scale * static_cast<float>(levels[(entry >> (3 * i)) & 7]);
    out[i] = ((signs >> i) & 1) != 0 ? -value : value;
  }
}
/// out[i] = scale * (level i of `entry` - 1 + shift), eight of them.
void ShiftedLevels(unsigned entry, float shift, float scale, float* out) {
  for (unsigned i = 0; i < 8; ++i) {
    const int level = static_cast<int>((entry >> (2 * i)) & 3) - 1;
    out[i] = scale * (static_cast<float>(level) + shift);
  }
}

constexpr float kIq1Shift = 0.125F;

}  // namespace

void DecodeIQ2_XXS(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b) {
    const BlockIQ2_XXS& block = As<BlockIQ2_XXS>(blocks)[b];
    const float d = HalfToFloat(block.d);
    for (std::size_t group = 0; group < 8; ++group) {
      const std::uint8_t* places = block.qs + 8 * group;
      const std::uint32_t rest = Load32(places + 4);
      const float scale = d * (0.5F + static_cast<float>(rest >> 28)) * 0.25F;
      for (unsigned l = 0; l < 4; ++l, out += 8) {
        SignedLevels2(kIq2XxsGrid[places[l]], EvenSigns((rest >> (7 * l)) & 127), scale, out);
      }
    }
  }
}

void DecodeIQ2_XS(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b) {
    const BlockIQ2_XS& block = As<BlockIQ2_XS>(blocks)[b];
    const float d = HalfToFloat(block.d);
    for (std::size_t i = 0; i < 32; ++i, out += 8) {
      const unsigned code = (block.scales[i / 4] >> (4 * (i / 2 % 2))) & 15u;
      const float scale = d * (0.5F + static_cast<float>(code)) * 0.25F;
      const unsigned q = block.qs[i];
      SignedLevels2(kIq2XsGrid[q & 511], EvenSigns(q >> 9), scale, out);
    }
  }
}

void DecodeIQ2_S(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b) {
    const BlockIQ2_S& block = As<BlockIQ2_S>(blocks)[b];
    const float d = HalfToFloat(block.d);
    for (std::size_t i = 0; i < 32; ++i, out += 8) {
      const unsigned code = (block.scales[i / 4] >> (4 * (i / 2 % 2))) & 15u;
      const float scale = d * (0.5F + static_cast<float>(code)) * 0.25F;
      const unsigned upper = (block.qh[i / 4] >> (2 * (i % 4))) & 3u;
      SignedLevels2(kIq2SGrid[block.qs[i] | (upper << 8)], block.signs[i], scale, out);
    }
  }
}

void DecodeIQ3_XXS(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b) {
    const BlockIQ3_XXS& block = As<BlockIQ3_XXS>(blocks)[b];
    const float d = HalfToFloat(block.d);
    for (std::size_t group = 0; group < 8; ++group) {
      const std::uint32_t rest = Load32(block.signs_scales + 4 * group);
      const float scale = d * (0.5F + static_cast<float>(rest >> 28)) * 0.5F;
      for (unsigned l = 0; l < 4; ++l, out += 8) {
        const unsigned signs = EvenSigns((rest >> (7 * l)) & 127);
        const std::uint8_t* places = block.qs + 8 * group + 2 * l;
        SignedLevels3(kIq3XxsGrid[places[0]], kIq3XxsLevels, signs, scale, out);
        SignedLevels3(kIq3XxsGrid[places[1]], kIq3XxsLevels, signs >> 4, scale, out + 4);
      }
    }
  }
}

void DecodeIQ3_S(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b) {
    const BlockIQ3_S& block = As<BlockIQ3_S>(blocks)[b];
    const float d = HalfToFloat(block.d);
    for (std::size_t i = 0; i < 32; ++i, out += 8) {
      const std::size_t group = i / 4;
      const int code = (block.scales[group / 2] >> (4 * (group % 2))) & 15;
      const float scale = d * static_cast<float>(1 + 2 * code);
      const unsigned ninth = static_cast<unsigned>(block.qh[group]) >> (2 * (i % 4));
      const unsigned first = block.qs[2 * i] | ((ninth & 1) << 8);
      const unsigned second = block.qs[2 * i + 1] | ((ninth & 2) << 7);
      SignedLevels3(kIq3SGrid[first], kIq3SLevels, block.signs[i], scale, out);
      SignedLevels3(kIq3SGrid[second], kIq3SLevels, block.signs[i] >> 4u, scale, out + 4);
    }
  }
}

void DecodeIQ1_S(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b) {
    const BlockIQ1_S& block = As<BlockIQ1_S>(blocks)[b];
    const float d = HalfToFloat(block.d);
    for (std::size_t i = 0; i < 32; ++i, out += 8) {
      const unsigned qh = block.qh[i / 4];
      const float scale = d * static_cast<float>(2 * ((qh >> 12) & 7) + 1);
      const float shift = (qh & 0x8000) != 0 ? -kIq1Shift : kIq1Shift;
      const unsigned upper = (qh >> (3 * (i % 4))) & 7;
      ShiftedLevels(kIq1Grid[block.qs[i] | (upper << 8)], shift, scale, out);
    }
  }
}

void DecodeIQ1_M(const std::byte* blocks, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b) {
    const BlockIQ1_M& block = As<BlockIQ1_M>(blocks)[b];
    unsigned d_bits = 0;
    for (unsigned word = 0; word < 4; ++word) {
      d_bits |= (static_cast<unsigned>(block.scales[word]) >> 12) << (4 * word);
    }
    const float d = HalfToFloat(static_cast<std::uint16_t>(d_bits));
    for (std::size_t i = 0; i < 32; ++i, out += 8) {
      const unsigned code = (static_cast<unsigned>(block.scales[i / 8]) >> (3 * (i / 2 % 4))) & 7;
      const float scale = d * static_cast<float>(2 * code + 1);
      const unsigned nibble = (block.qh[i / 2] >> (4 * (i % 2))) & 15u;
      const float shift = (nibble & 8) != 0 ? -kIq1Shift : kIq1Shift;
      ShiftedLevels(kIq1Grid[block.qs[i] | ((nibble & 7) << 8)], shift, scale, out);
    }
  }
}

}  // namespace tandem::quant
