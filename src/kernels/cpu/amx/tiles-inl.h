#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/avx512/vec-inl.h"
#include "kernels/cpu/panel-inl.h"
#include "kernels/cpu/panel32-inl.h"

// Products of a panel with up to 32 tokens in tile registers. Rows of a result tile are tokens, its
// 16 columns the lanes of a panel, so that what a tile leaves behind is finished by the same code
// as a vector sum. Activations are read where they lie.
//
// Tiles: 0 to 3 results, 4 and 5 activations of 16 tokens each, 6 and 7 weights.

namespace tandem::cpu {
namespace {

constexpr std::size_t kTileTokens = 16;
constexpr std::size_t kJobTokens = 2 * kTileTokens;

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

/// tokens: rows of the token tiles, at most 16; a product takes a cycle for each. depth: weights of
/// a row in one product, at most 64.
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

/// One product in flight: up to kJobTokens tokens with one group of lanes.
template <typename Weights, typename X>
struct TileJob {
  const Weights* weights;
  const X* x;
  std::size_t tokens;
  float* acc;
  std::int32_t (*sums)[kTileTokens][kLanes];  // four result tiles
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
  static constexpr std::size_t kSteps = Format::kLength / kDepth;

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

  template <bool kTwo>
  static void Zero() {
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (kTwo) {
      _tile_zero(2);
      _tile_zero(3);
    }
  }

  template <bool kTwo>
  static void Step(const Job& job, std::size_t step) {
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
  }

  template <bool kTwo>
  static void Store(const Job& job) {
    _tile_stored(0, job.sums[0], sizeof(IntVec));
    _tile_stored(1, job.sums[1], sizeof(IntVec));
    if constexpr (kTwo) {
      _tile_stored(2, job.sums[2], sizeof(IntVec));
      _tile_stored(3, job.sums[3], sizeof(IntVec));
    }
  }

  static void Finish(const Job& job, std::size_t t) {
    const auto& sums = job.sums + 2 * (t / kTileTokens);
    const std::size_t row = t % kTileTokens;
    const __m512i high = _mm512_load_si512(sums[0][row]);
    const __m512i low = _mm512_load_si512(sums[1][row]);
    const __m512i s = _mm512_add_epi32(_mm512_slli_epi32(high, 7), low);
    FinishSuper<Format>(job.weights->panel, job.x[t], s, job.acc + t * kLanes);
  }

 private:
  /// Low bytes of words from a, high ones from b.
  static __m512i Interleave(__m512i a, __m512i b) {
    return _mm512_ternarylogic_epi32(_mm512_set1_epi16(0xFF), a, b, 0xCA);  // mask ? a : b
  }
};

/// One product per block; codes are unsigned, with the bias that FinishBlock takes out.
template <typename Format>
struct Tiles32 : Format {
  using X = BlockQ8x32;
  struct Weights {
    typename Format::Panel panel;
  };
  using Job = TileJob<Weights, X>;
  static constexpr std::size_t kDepth = 32;
  static constexpr std::size_t kSteps = 1;

  static void Prepare(Weights* /*w*/) {}

  template <bool kTwo>
  static void Zero() {
    _tile_zero(0);
    if constexpr (kTwo) {
      _tile_zero(1);
    }
  }

  template <bool kTwo>
  static void Step(const Job& job, std::size_t /*step*/) {
    _tile_loadd(6, job.weights->panel.q, sizeof(IntVec));
    _tile_loadd(4, job.x->q, sizeof(X));
    _tile_dpbsud(0, 4, 6);
    if constexpr (kTwo) {
      _tile_loadd(5, job.x[kTileTokens].q, sizeof(X));
      _tile_dpbsud(1, 5, 6);
    }
  }

  template <bool kTwo>
  static void Store(const Job& job) {
    _tile_stored(0, job.sums[0], sizeof(IntVec));
    if constexpr (kTwo) {
      _tile_stored(1, job.sums[1], sizeof(IntVec));
    }
  }

  static void Finish(const Job& job, std::size_t t) {
    const __m512i s = _mm512_load_si512(job.sums[t / kTileTokens][t % kTileTokens]);
    FinishBlock<Format>(job.weights->panel, job.x[t], s, job.acc + t * kLanes);
  }
};

}  // namespace
}  // namespace tandem::cpu
