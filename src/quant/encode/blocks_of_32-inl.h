#pragma once

#include "quant/encode/search-inl.h"

// Q4_0, Q4_1, Q5_0, Q5_1 and IQ4_NL: a lane is a block.

namespace tandem::quant {
namespace {

constexpr std::size_t kBlock32 = 32;
using Blocks32 = SubBlocks<kBlock32>;

/// Codes of one group of sub-blocks, as bytes: codes[i][lane].
template <std::size_t N>
struct CodeBytes {
  std::uint8_t codes[N][kLanes];

  [[gnu::always_inline]] void Set(std::size_t i, Floats whole) {
    const Ints integers = __builtin_convertvector(whole, Ints);
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      codes[i][lane] = static_cast<std::uint8_t>(integers[lane]);
    }
  }
};

[[gnu::always_inline]] inline void StoreHalf(Ints halves, std::size_t lane, std::uint16_t* to) {
  *to = static_cast<std::uint16_t>(halves[lane]);
}

/// The two nibbles of bytes 0..15, as all these formats pack them.
template <typename Block>
void PackNibbles(const CodeBytes<kBlock32>& bytes, std::size_t lane, Block* block) {
  for (std::size_t i = 0; i < 16; ++i) {
    block->qs[i] = static_cast<std::uint8_t>((bytes.codes[i][lane] & 15) |
                                             ((bytes.codes[i + 16][lane] & 15) << 4));
  }
}
template <typename Block>
void PackFifthBits(const CodeBytes<kBlock32>& bytes, std::size_t lane, Block* block) {
  for (std::size_t byte = 0; byte < 4; ++byte) {
    unsigned bits = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      bits |= static_cast<unsigned>(bytes.codes[8 * byte + i][lane] >> 4) << i;
    }
    block->qh[byte] = static_cast<std::uint8_t>(bits);
  }
}

/// Calls encode(b, used, out) for groups of sixteen blocks.
template <typename Block, typename Encode>
[[gnu::always_inline]] inline void ForGroups32(const float* values, const float* importance,
                                               std::size_t count, std::byte* blocks,
                                               Encode encode) {
  auto* out = reinterpret_cast<Block*>(blocks);
  Blocks32 b;
  for (std::size_t first = 0; first < count; first += kLanes) {
    const std::size_t used = count - first < kLanes ? count - first : kLanes;
    ReadSubBlocks(values + first * kBlock32,
                  importance == nullptr ? nullptr : importance + first * kBlock32, used, &b);
    encode(b, used, out + first);
  }
}

/// Q4_0 (reach 8) and Q5_0 (16). Uneven weights need more trials.
template <typename Block, bool kFifthBit>
void EncodeScaled32(const float* values, const float* importance, std::size_t count,
                    std::byte* blocks) {
  constexpr float kReach = kFifthBit ? 16 : 8;
  const Trials trials = importance == nullptr ? Trials{-0.8F, 0.4F, 3} : Trials{-1.2F, 0.2F, 10};
  ForGroups32<Block>(values, importance, count, blocks,
                     [trials](const Blocks32& b, std::size_t used, Block* out) {
                       const WholeCodes whole{kReach};
                       const Ints d = ToHalf(FitSymmetric(b, whole, kReach, trials).scale);
                       const Floats inverse = InverseOrZero(FromHalf(d));
                       CodeBytes<kBlock32> bytes;
                       for (std::size_t i = 0; i < kBlock32; ++i) {
                         bytes.Set(i, whole.Nearest(LoadLanes(b.x[i]) * inverse) + kReach);
                       }
                       for (std::size_t lane = 0; lane < used; ++lane) {
                         StoreHalf(d, lane, &out[lane].d);
                         PackNibbles(bytes, lane, out + lane);
                         if constexpr (kFifthBit) {
                           PackFifthBits(bytes, lane, out + lane);
                         }
                       }
                     });
}

/// Q4_1 (codes to 15) and Q5_1 (31).
template <typename Block, bool kFifthBit>
void EncodeAffine32(const float* values, const float* importance, std::size_t count,
                    std::byte* blocks) {
  const Trials trials = importance == nullptr ? Trials{-0.2F, 0.4F, 2} : Trials{-0.9F, 0.15F, 13};
  ForGroups32<Block>(values, importance, count, blocks,
                     [trials](const Blocks32& b, std::size_t used, Block* out) {
                       constexpr float kMaxCode = kFifthBit ? 31 : 15;
                       const AffineFit fit = FitAffine<kBlock32, false>(b, kMaxCode, trials);
                       const Ints d = ToHalf(fit.scale);
                       const Ints m = ToHalf(fit.min);
                       const Floats inverse = InverseOrZero(FromHalf(d));
                       const Floats min = FromHalf(m);
                       CodeBytes<kBlock32> bytes;
                       for (std::size_t i = 0; i < kBlock32; ++i) {
                         bytes.Set(i, Code((LoadLanes(b.x[i]) - min) * inverse, 0, kMaxCode));
                       }
                       for (std::size_t lane = 0; lane < used; ++lane) {
                         StoreHalf(d, lane, &out[lane].d);
                         StoreHalf(m, lane, &out[lane].m);
                         PackNibbles(bytes, lane, out + lane);
                         if constexpr (kFifthBit) {
                           PackFifthBits(bytes, lane, out + lane);
                         }
                       }
                     });
}

}  // namespace
}  // namespace tandem::quant
