#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/avx512/vec-inl.h"
#include "kernels/cpu/panel-inl.h"
#include "kernels/cpu/panel32-inl.h"

// Dot products of a panel with a few tokens, by dpbusd: four codes of each lane times four
// activations of one token in every lane.

namespace tandem::cpu {
namespace {

/// Tokens that share one pass over a panel: as many sums as there are registers for.
constexpr std::size_t kTogether = 8;

template <typename Kernel>
void DotAllTokens(const typename Kernel::Panel& panel, const typename Kernel::X* x,
                  std::size_t tokens, float* acc) {
  for (; tokens >= kTogether; tokens -= kTogether, x += kTogether, acc += kTogether * kLanes) {
    Kernel::template DotTokens<kTogether>(panel, x, acc);
  }
  switch (tokens) {
    case 1:
      return Kernel::template DotTokens<1>(panel, x, acc);
    case 2:
      return Kernel::template DotTokens<2>(panel, x, acc);
    case 3:
      return Kernel::template DotTokens<3>(panel, x, acc);
    case 4:
      return Kernel::template DotTokens<4>(panel, x, acc);
    case 5:
      return Kernel::template DotTokens<5>(panel, x, acc);
    case 6:
      return Kernel::template DotTokens<6>(panel, x, acc);
    case 7:
      return Kernel::template DotTokens<7>(panel, x, acc);
    default:
      return;
  }
}

template <typename Format>
struct SuperKernel : Format {
  using X = BlockQ8K;
  using Panel = typename Format::Panel;

  static void Dot(const Panel& panel, const X* x, std::size_t tokens, float* acc) {
    DotAllTokens<SuperKernel>(panel, x, tokens, acc);
  }

  template <std::size_t kTokens>
  static void DotTokens(const Panel& panel, const X* x, float* acc) {
    constexpr std::size_t kQuadsPerSub = Format::kQuads / Format::kSubs;
    __m512i sum[kTokens];
#pragma GCC unroll 8
    for (std::size_t t = 0; t < kTokens; ++t) {
      sum[t] = _mm512_setzero_si512();
    }
    for (std::size_t s = 0; s < Format::kSubs; ++s) {
      __m512i part[kTokens];
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kQuadsPerSub; ++i) {
        const __m512i codes = panel.q[s * kQuadsPerSub + i];
#pragma GCC unroll 8
        for (std::size_t t = 0; t < kTokens; ++t) {
          part[t] = _mm512_dpbusd_epi32(i == 0 ? _mm512_setzero_si512() : part[t], codes,
                                        SplatQuad(x[t].q + 4 * (s * kQuadsPerSub + i)));
        }
      }
#pragma GCC unroll 8
      for (std::size_t t = 0; t < kTokens; ++t) {
        sum[t] = _mm512_add_epi32(sum[t], _mm512_mullo_epi32(part[t], panel.scale[s]));
      }
    }
#pragma GCC unroll 8
    for (std::size_t t = 0; t < kTokens; ++t) {
      const __m512i s = RemoveBias<Format>(panel, x[t], sum[t]);
      FinishSuper<Format>(panel, x[t], s, acc + t * kLanes);
    }
  }
};

template <typename Format>
struct Kernel32 : Format {
  using X = BlockQ8x32;
  using Panel = typename Format::Panel;

  static void Dot(const Panel& panel, const X* x, std::size_t tokens, float* acc) {
    DotAllTokens<Kernel32>(panel, x, tokens, acc);
  }

  template <std::size_t kTokens>
  static void DotTokens(const Panel& panel, const X* x, float* acc) {
    __m512i sum[kTokens];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < Format::kQuads; ++i) {
      const __m512i codes = panel.q[i];
#pragma GCC unroll 8
      for (std::size_t t = 0; t < kTokens; ++t) {
        sum[t] = _mm512_dpbusd_epi32(i == 0 ? _mm512_setzero_si512() : sum[t], codes,
                                     SplatQuad(x[t].q + 4 * i));
      }
    }
#pragma GCC unroll 8
    for (std::size_t t = 0; t < kTokens; ++t) {
      FinishBlock<Format>(panel, x[t], sum[t], acc + t * kLanes);
    }
  }
};

}  // namespace
}  // namespace tandem::cpu
