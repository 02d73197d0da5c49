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
  alignas(16) std::uint8_t codes[N][kLanes];

  [[gnu::always_inline]] void Set(std::size_t i, Floats whole) {
    const Ints integers = __builtin_convertvector(whole, Ints);
    const Bytes bytes = __builtin_convertvector(integers, Bytes);
    __builtin_memcpy(codes[i], &bytes, sizeof(bytes));
  }
  [[gnu::always_inline]] Bytes Load(std::size_t i) const {
    Bytes bytes;
    __builtin_memcpy(&bytes, codes[i], sizeof(bytes));
    return bytes;
  }
};

[[gnu::always_inline]] inline void StoreHalf(Ints halves, std::size_t lane, std::uint16_t* to) {
  *to = static_cast<std::uint16_t>(halves[lane]);
}

/// What all these formats pack alike, a block to a lane.
struct PackedCodes {
  Bytes nibbles[kLanes];                      // the 16 bytes of a block
  alignas(16) std::uint8_t fifth[4][kLanes];  // its fifth bits

  template <bool kFifthBit>
  [[gnu::always_inline]] void Pack(const CodeBytes<kBlock32>& bytes) {
    for (std::size_t i = 0; i < 16; ++i) {
      nibbles[i] = (bytes.Load(i) & 15) | (bytes.Load(i + 16) << 4);
    }
    Transpose16(nibbles);
    if constexpr (kFifthBit) {
      for (std::size_t byte = 0; byte < 4; ++byte) {
        Bytes bits{};
        for (std::size_t i = 0; i < 8; ++i) {
          bits |= (bytes.Load(8 * byte + i) >> 4) << static_cast<int>(i);
        }
        __builtin_memcpy(fifth[byte], &bits, sizeof(bits));
      }
    }
  }
  template <bool kFifthBit, typename Block>
  [[gnu::always_inline]] void Store(std::size_t lane, Block* block) const {
    __builtin_memcpy(block->qs, &nibbles[lane], sizeof(block->qs));
    if constexpr (kFifthBit) {
      for (std::size_t byte = 0; byte < 4; ++byte) {
        block->qh[byte] = fifth[byte][lane];
      }
    }
  }
};

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
  const Trials trials = importance == nullptr ? Trials{-0.6F, 0.6F, 2} : Trials{-1.2F, 0.2F, 10};
  ForGroups32<Block>(values, importance, count, blocks,
                     [trials](const Blocks32& b, std::size_t used, Block* out) {
                       const WholeCodes whole{kReach};
                       const Ints d = ToHalf(FitSymmetric(b, whole, kReach, trials).scale);
                       const Floats inverse = InverseOrZero(FromHalf(d));
                       CodeBytes<kBlock32> bytes;
                       for (std::size_t i = 0; i < kBlock32; ++i) {
                         bytes.Set(i, whole.Nearest(LoadLanes(b.x[i]) * inverse) + kReach);
                       }
                       PackedCodes packed;
                       packed.Pack<kFifthBit>(bytes);
                       for (std::size_t lane = 0; lane < used; ++lane) {
                         StoreHalf(d, lane, &out[lane].d);
                         packed.Store<kFifthBit>(lane, out + lane);
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
                       PackedCodes packed;
                       packed.Pack<kFifthBit>(bytes);
                       for (std::size_t lane = 0; lane < used; ++lane) {
                         StoreHalf(d, lane, &out[lane].d);
                         StoreHalf(m, lane, &out[lane].m);
                         packed.Store<kFifthBit>(lane, out + lane);
                       }
                     });
}

}  // namespace
}  // namespace tandem::quant
