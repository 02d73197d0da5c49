#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/avx512/vec-inl.h"
#include "kernels/cpu/panel-inl.h"
#include "kernels/cpu/panel32-inl.h"

// Products of panels with tokens in tile registers. Rows of a result tile are tokens, its 16
// columns the lanes of a panel, so that what a tile leaves behind is finished by the same code as a
// vector sum. Activations are read where they lie.
//
// A job is what the tile registers hold at once. While its products run, the vector units finish
// the job before.

namespace tandem::cpu {
namespace {

constexpr std::size_t kTileTokens = 16;

/// Shapes of the eight tiles, in the layout of LDTILECFG.
struct alignas(64) TileConfig {
  std::uint8_t palette;
  std::uint8_t start_row;
  std::uint8_t reserved[14];
  std::uint16_t row_bytes[16];
  std::uint8_t rows[16];
};
static_assert(sizeof(TileConfig) == 64);

/// Keeps the compiler from moving stores past what follows: its tile instructions do not say that
/// they read memory.
inline void FinishStores() {
  __asm__ volatile("" ::: "memory");
}

/// Tiles 0 to 3 are results, 4 and 5 activations, 6 and 7 weights. tokens: rows of the first two
/// kinds, at most 16; a product takes a cycle for each. depth: weights of a row in one product, at
/// most 64.
inline void ConfigureTiles(std::size_t tokens, std::size_t depth) {
  TileConfig config = {};
  config.palette = 1;
  for (std::size_t i = 0; i < 8; ++i) {
    config.row_bytes[i] = 64;
    config.rows[i] = static_cast<std::uint8_t>(tokens);
  }
  for (std::size_t i = 4; i < 6; ++i) {
    config.row_bytes[i] = static_cast<std::uint16_t>(depth);
  }
  for (std::size_t i = 6; i < 8; ++i) {
    config.rows[i] = static_cast<std::uint8_t>(depth / 4);
  }
  FinishStores();
  _tile_loadconfig(&config);
}

using TileSums = std::int32_t[kTileTokens][kLanes];

/// One group of lanes times up to kJobTokens tokens.
template <typename Weights, typename X>
struct TileJob {
  const Weights* weights;  // `count` blocks
  std::size_t count;
  const X* x;  // block i of token t: x[i * slots + t]
  std::size_t slots;
  std::size_t tokens;
  float* acc;
  TileSums* sums;
};

/// Codes times scales of a super-block reach 13 bits: two planes of int8 with scale * code = 128
/// high + low make the sums over the whole block exact, without a scaling per sub-block.
template <typename Format>
struct SuperTiles : Format {
  using X = BlockQ8K;
  struct Weights {
    typename Format::Panel panel;
    IntVec high[Format::kQuads];
    IntVec low[Format::kQuads];
  };
  using Job = TileJob<Weights, X>;
  static constexpr std::size_t kDepth = 64;
  static constexpr std::size_t kJobTokens = 2 * kTileTokens;
  static constexpr std::size_t kSums = 4;

  static void Prepare(Weights* w) {
    constexpr std::size_t kQuadsPerSub = Format::kQuads / Format::kSubs;
    for (std::size_t s = 0; s < Format::kSubs; ++s) {
      const __m512i scale = w->panel.scale[s];
      const __m512i byte = _mm512_and_si512(scale, _mm512_set1_epi32(0xFF));
      const __m512i even = _mm512_or_si512(byte, _mm512_slli_epi32(byte, 16));
      const __m512i odd = _mm512_slli_epi32(even, 8);
      const __m512i word = _mm512_or_si512(_mm512_and_si512(scale, _mm512_set1_epi32(0xFFFF)),
                                           _mm512_slli_epi32(scale, 16));
      const __m512i bias = _mm512_mullo_epi16(word, _mm512_set1_epi16(Format::kBias));
#pragma GCC unroll 8
      for (std::size_t i = s * kQuadsPerSub; i < (s + 1) * kQuadsPerSub; ++i) {
        const __m512i codes = w->panel.q[i];
        const __m512i a = _mm512_sub_epi16(_mm512_maddubs_epi16(codes, even), bias);
        const __m512i b = _mm512_sub_epi16(_mm512_maddubs_epi16(codes, odd), bias);
        w->low[i] = _mm512_and_si512(Interleave(a, _mm512_slli_epi16(b, 8)), Splat8(127));
        w->high[i] = Interleave(_mm512_srli_epi16(a, 7), _mm512_slli_epi16(b, 1));
      }
    }
  }

  /// kTwo: more than kTileTokens tokens in the job. previous: may be empty.
  template <bool kTwo>
  static void Run(const Job& job, const Job& previous) {
    constexpr std::size_t kSteps = Format::kLength / kDepth;
    constexpr std::size_t kShare = kJobTokens / kSteps;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
#pragma GCC unroll 4
    for (std::size_t step = 0; step < kSteps; ++step) {
      const std::size_t quad = step * kDepth / 4;
      _tile_loadd(4, job.x->q + kDepth * step, sizeof(X));
      _tile_loadd(6, job.weights->high + quad, sizeof(IntVec));
      _tile_dpbssd(0, 4, 6);
      _tile_loadd(7, job.weights->low + quad, sizeof(IntVec));
      _tile_dpbssd(1, 4, 7);
      if constexpr (kTwo) {
        _tile_loadd(5, job.x[kTileTokens].q + kDepth * step, sizeof(X));
        _tile_dpbssd(2, 5, 6);
        _tile_dpbssd(3, 5, 7);
      }
      if (previous.tokens == kJobTokens) {
        FinishTokens<kShare>(previous, step * kShare);
      }
    }
    _tile_stored(0, job.sums[0], sizeof(IntVec));
    _tile_stored(1, job.sums[1], sizeof(IntVec));
    if constexpr (kTwo) {
      _tile_stored(2, job.sums[2], sizeof(IntVec));
      _tile_stored(3, job.sums[3], sizeof(IntVec));
    }
    if (previous.tokens < kJobTokens) {
      Finish(previous);
    }
  }

  static void Finish(const Job& job) {
    std::size_t t = 0;
    for (; t + 4 <= job.tokens; t += 4) {
      FinishTokens<4>(job, t);
    }
    for (; t < job.tokens; ++t) {
      FinishTokens<1>(job, t);
    }
  }

 private:
  /// Low bytes of words from a, high ones from b.
  static __m512i Interleave(__m512i a, __m512i b) {
    return _mm512_ternarylogic_epi32(_mm512_set1_epi16(0xFF), a, b, 0xCA);  // mask ? a : b
  }

  /// Tokens [t, t + kCount), all of one tile.
  template <std::size_t kCount>
  static void FinishTokens(const Job& job, std::size_t t) {
    const Header<Format> header(job.weights->panel);
    const TileSums* sums = job.sums + 2 * (t / kTileTokens);
    const std::size_t row = t % kTileTokens;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kCount; ++i) {
      const __m512i high = _mm512_load_si512(sums[0][row + i]);
      const __m512i low = _mm512_load_si512(sums[1][row + i]);
      const __m512i s = _mm512_add_epi32(_mm512_slli_epi32(high, 7), low);
      FinishSuper(header, job.x[t + i], s, job.acc + (t + i) * kLanes);
    }
  }
};

/// One product per block of 32, with signed codes.
template <typename Format>
struct Tiles32 : Format {
  using X = BlockQ8x32;
  struct Weights {
    typename Format::Panel panel;
  };
  using Job = TileJob<Weights, X>;
  static constexpr std::size_t kDepth = 32;
  static constexpr std::size_t kJobTokens = kTileTokens;
  static constexpr std::size_t kSums = Format::kPass;

  static void Prepare(Weights* w) {
    if constexpr (Format::kBias != 0) {
#pragma GCC unroll 8
      for (std::size_t i = 0; i < Format::kQuads; ++i) {
        w->panel.q[i] = Add8(w->panel.q[i], Splat8(-Format::kBias));
      }
    }
  }

  template <bool kTwo>
  static void Run(const Job& job, const Job& previous) {
    static_assert(!kTwo);
    std::size_t done = 0;  // tokens of the previous job
    std::size_t i = 0;
    for (; i + 4 <= job.count; i += 4) {
      MultiplyFirst(job, i);
      done = FinishSome(previous, done);
      MultiplySecond(job, i + 2);
      done = FinishSome(previous, done);
      _tile_stored(0, job.sums[i], sizeof(IntVec));
      _tile_stored(1, job.sums[i + 1], sizeof(IntVec));
      _tile_stored(2, job.sums[i + 2], sizeof(IntVec));
      _tile_stored(3, job.sums[i + 3], sizeof(IntVec));
    }
    for (; i < job.count; ++i) {
      MultiplyOne(job, i);
    }
    while (done < previous.tokens) {
      done = FinishSome(previous, done);
    }
  }

  static void Finish(const Job& job) {
    for (std::size_t t = 0; t < job.tokens; ++t) {
      FinishTokens<1>(job, t);
    }
  }

 private:
  struct Unbiased : Format {
    static constexpr int kBias = 0;
  };

  /// Blocks i and i + 1 into tiles 0 and 1. (Tile numbers are part of the instruction: GCC wants
  /// them as literals.)
  static void MultiplyFirst(const Job& job, std::size_t i) {
    _tile_zero(0);
    _tile_loadd(4, job.x[i * job.slots].q, sizeof(X));
    _tile_loadd(6, job.weights[i].panel.q, sizeof(IntVec));
    _tile_dpbssd(0, 4, 6);
    _tile_zero(1);
    _tile_loadd(5, job.x[(i + 1) * job.slots].q, sizeof(X));
    _tile_loadd(7, job.weights[i + 1].panel.q, sizeof(IntVec));
    _tile_dpbssd(1, 5, 7);
  }
  /// Blocks i and i + 1 into tiles 2 and 3.
  static void MultiplySecond(const Job& job, std::size_t i) {
    _tile_zero(2);
    _tile_loadd(4, job.x[i * job.slots].q, sizeof(X));
    _tile_loadd(6, job.weights[i].panel.q, sizeof(IntVec));
    _tile_dpbssd(2, 4, 6);
    _tile_zero(3);
    _tile_loadd(5, job.x[(i + 1) * job.slots].q, sizeof(X));
    _tile_loadd(7, job.weights[i + 1].panel.q, sizeof(IntVec));
    _tile_dpbssd(3, 5, 7);
  }
  static void MultiplyOne(const Job& job, std::size_t i) {
    _tile_zero(0);
    _tile_loadd(4, job.x[i * job.slots].q, sizeof(X));
    _tile_loadd(6, job.weights[i].panel.q, sizeof(IntVec));
    _tile_dpbssd(0, 4, 6);
    _tile_stored(0, job.sums[i], sizeof(IntVec));
  }

  static std::size_t FinishSome(const Job& job, std::size_t t) {
    if (t + 4 <= job.tokens) {
      FinishTokens<4>(job, t);
      return t + 4;
    }
    if (t < job.tokens) {
      FinishTokens<1>(job, t);
      return t + 1;
    }
    return t;
  }

  template <std::size_t kCount>
  static void FinishTokens(const Job& job, std::size_t t) {
    __m512 total[kCount];
#pragma GCC unroll 4
    for (std::size_t k = 0; k < kCount; ++k) {
      total[k] = LoadFloats(job.acc + (t + k) * kLanes);
    }
    for (std::size_t i = 0; i < job.count; ++i) {
      const Panel32& panel = job.weights[i].panel;
      const X* x = job.x + i * job.slots + t;
#pragma GCC unroll 4
      for (std::size_t k = 0; k < kCount; ++k) {
        total[k] =
            FinishBlock<Unbiased>(panel, x[k], _mm512_load_si512(job.sums[i][t + k]), total[k]);
      }
    }
#pragma GCC unroll 4
    for (std::size_t k = 0; k < kCount; ++k) {
      StoreFloats(job.acc + (t + k) * kLanes, total[k]);
    }
  }
};

}  // namespace
}  // namespace tandem::cpu
