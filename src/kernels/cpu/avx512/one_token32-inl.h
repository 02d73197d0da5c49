#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/cpu/avx512/one_token-inl.h"
#include "kernels/cpu/avx512/transpose-inl.h"
#include "kernels/cpu/panel32-inl.h"

// As one_token-inl.h, for the formats with one scale per 32 weights: sixteen blocks of a row become
// one vector of sums, which waits until sixteen rows have theirs and are turned into lanes.

namespace tandem::cpu {
namespace {

/// 32 bytes of each block.
inline __m512i JoinHalves(__m256i low, __m256i high) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}
inline __m256i LoadHalf32(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
/// The codes of two blocks of 16 bytes each: the low nibbles, then the high ones.
inline __m512i LoadNibbles(const std::uint8_t* a, const std::uint8_t* b) {
  const auto twice = [](const std::uint8_t* p) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  };
  const __m512i shifts = _mm512_setr_epi64(0, 0, 4, 4, 0, 0, 4, 4);
  return LowNibbles(_mm512_srlv_epi64(JoinHalves(twice(a), twice(b)), shifts));
}

/// The codes of the blocks at a and at b as a panel has them.
template <typename Format>
__m512i ReadTwo(const std::uint8_t* a, const std::uint8_t* b) {
  constexpr std::size_t kType = Format::kType;
  constexpr std::size_t kHead = Format::kMins ? 4 : 2;
  if constexpr (kType == FormatQ80::kType) {
    return Xor(JoinHalves(LoadHalf32(a + kHead), LoadHalf32(b + kHead)), Splat8(kSignedBias));
  } else {
    constexpr std::size_t kCodes = sizeof(typename Format::Block) - 16;
    const __m512i codes = LoadNibbles(a + kCodes, b + kCodes);
    if constexpr (kType == FormatIQ4NL::kType) {
      return LookUp(Iq4Table(), codes);
    } else if constexpr (kCodes == kHead) {
      return codes;
    } else {  // the fifth bits in between
      std::uint32_t low = 0;
      std::uint32_t high = 0;
      __builtin_memcpy(&low, a + kHead, sizeof(low));
      __builtin_memcpy(&high, b + kHead, sizeof(high));
      return _mm512_mask_add_epi8(codes, low | std::uint64_t{high} << 32U, codes, Splat8(16));
    }
  }
}

template <typename Format>
struct OneToken32Scratch {
  static constexpr std::size_t kChunk = 16;  // blocks
  static constexpr std::size_t kMostChunks = 64;
  using Factors = std::conditional_t<Format::kMins, std::uint32_t, std::uint16_t>;

  __m512i x[kMostChunks][kChunk / 2];  // halves: activations of blocks as SumChunk pairs them
  float x_d[kMostChunks * kChunk];
  std::int32_t x_sum[kMostChunks * kChunk];
  __m512i sums[kMostChunks][kLanes];  // of each row, one for each block
  alignas(64) Factors factors[kMostChunks * kChunk][kLanes];
};

/// Block of a chunk that is the lower half of vector i; the upper one is four on.
inline std::size_t LowerBlock(std::size_t i) {
  return i < 4 ? i : i + 4;
}

/// Sums of 16 blocks, or of those there are.
template <typename Format, bool kWhole>
__m512i SumChunk(const std::uint8_t* p, std::size_t blocks, const __m512i* x) {
  constexpr std::size_t kBytes = sizeof(typename Format::Block);
  __m512i v[8];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < 8; ++i) {
    const std::size_t low = LowerBlock(i);
    const std::size_t high = low + 4;
    // A block that is not there is another one; its sum is not looked at.
    const std::uint8_t* a = p + (kWhole || low < blocks ? low * kBytes : 0);
    const std::uint8_t* b = p + (kWhole || high < blocks ? high * kBytes : 0);
    v[i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), ReadTwo<Format>(a, b), x[i]);
  }
  const __m512i a = AddFour(v[0], v[1], v[2], v[3]);
  const __m512i b = AddFour(v[4], v[5], v[6], v[7]);
  return Add32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xDD));
}

/// Row r of a group, which starts at p.
template <typename Format>
void StreamRow32(const std::uint8_t* p, std::size_t blocks, std::size_t r,
                 const std::uint8_t* w_end, OneToken32Scratch<Format>* scratch) {
  using Scratch = OneToken32Scratch<Format>;
  constexpr std::size_t kBytes = sizeof(typename Format::Block);
  constexpr std::size_t kChunkBytes = Scratch::kChunk * kBytes;
  for (std::size_t first = 0; first < blocks; first += Scratch::kChunk, p += kChunkBytes) {
    const std::size_t chunk = first / Scratch::kChunk;
    const std::size_t left = blocks - first;
    if (left >= Scratch::kChunk) {
      FetchLines<kChunkBytes>(p + kStreamFetchBytes + kChunkBytes <= w_end ? p + kStreamFetchBytes
                                                                           : p);
      scratch->sums[chunk][r] = SumChunk<Format, true>(p, left, scratch->x[chunk]);
    } else {
      scratch->sums[chunk][r] = SumChunk<Format, false>(p, left, scratch->x[chunk]);
    }
    const std::size_t count = left < Scratch::kChunk ? left : Scratch::kChunk;
    for (std::size_t i = 0; i < count; ++i) {
      __builtin_memcpy(&scratch->factors[first + i][r], p + i * kBytes,
                       sizeof(typename Scratch::Factors));
    }
  }
}

/// The results of a group of rows.
template <typename Format>
FloatVec FinishGroup32(std::size_t blocks, const OneToken32Scratch<Format>& scratch) {
  using Scratch = OneToken32Scratch<Format>;
  FloatVec acc = _mm512_setzero_ps();
  for (std::size_t first = 0; first < blocks; first += Scratch::kChunk) {
    alignas(64) __m512i sums[kLanes];
    __builtin_memcpy(sums, scratch.sums[first / Scratch::kChunk], sizeof(sums));
    Transpose(sums);
    const std::size_t left = blocks - first;
    const std::size_t count = left < Scratch::kChunk ? left : Scratch::kChunk;
    for (std::size_t i = 0; i < count; ++i) {
      const auto* factors = scratch.factors[first + i];
      FloatVec d;
      FloatVec min_d;
      if constexpr (Format::kMins) {
        d = HalfOf(LoadBytes(factors));
        min_d = HalfOf(ShiftRight32<16>(LoadBytes(factors)));
      } else {
        d = _mm512_cvtph_ps(_mm256_load_si256(reinterpret_cast<const __m256i*>(factors)));
        min_d = d;
      }
      acc = FinishBlock<Format>(d, min_d, scratch.x_d[first + i], scratch.x_sum[first + i], sums[i],
                                acc);
    }
  }
  return acc;
}

/// For a product with one token that FewTokens() says yes to.
template <typename Format>
void RunOneToken32(const MatMulArgs& args) {
  using Scratch = OneToken32Scratch<Format>;
  static_assert(sizeof(Scratch) <= kScratchBytes);
  auto* scratch = static_cast<Scratch*>(args.scratch);
  const std::size_t blocks = args.cols / Format::kLength;
  const auto* x = static_cast<const BlockQ8x32*>(args.x);
  for (std::size_t b = 0; b < blocks; ++b, x += args.x_slots) {
    const std::size_t i = b % Scratch::kChunk;
    auto* pairs = reinterpret_cast<std::int8_t*>(scratch->x[b / Scratch::kChunk]);
    __builtin_memcpy(pairs + 64 * (i % 4 + 4 * (i / 8)) + 32 * (i / 4 % 2), x->q, sizeof(x->q));
    scratch->x_d[b] = x->d;
    scratch->x_sum[b] = x->sum;
  }
  StreamGroups(
      args,
      [blocks, scratch](const std::uint8_t* p, std::size_t r, const std::uint8_t* w_end) {
        StreamRow32<Format>(p, blocks, r, w_end, scratch);
      },
      [blocks, scratch] { return FinishGroup32<Format>(blocks, *scratch); });
}

}  // namespace
}  // namespace tandem::cpu
