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
void DotAllTokens(const typename Kernel::Panel* panels, std::size_t count,
                  const typename Kernel::X* x, std::size_t slots, std::size_t tokens, float* acc) {
  for (; tokens >= kTogether; tokens -= kTogether, x += kTogether, acc += kTogether * kLanes) {
    Kernel::template DotTokens<kTogether>(panels, count, x, slots, acc);
  }
  switch (tokens) {
    case 1:
      return Kernel::template DotTokens<1>(panels, count, x, slots, acc);
    case 2:
      return Kernel::template DotTokens<2>(panels, count, x, slots, acc);
    case 3:
      return Kernel::template DotTokens<3>(panels, count, x, slots, acc);
    case 4:
      return Kernel::template DotTokens<4>(panels, count, x, slots, acc);
    case 5:
      return Kernel::template DotTokens<5>(panels, count, x, slots, acc);
    case 6:
      return Kernel::template DotTokens<6>(panels, count, x, slots, acc);
    case 7:
      return Kernel::template DotTokens<7>(panels, count, x, slots, acc);
    default:
      return;
  }
}

template <typename Format>
struct SuperKernel : Format {
  using X = BlockQ8K;
  using Panel = typename Format::Panel;

  static void Dot(const Panel* panels, std::size_t count, const X* x, std::size_t slots,
                  std::size_t tokens, float* acc) {
    DotAllTokens<SuperKernel>(panels, count, x, slots, tokens, acc);
  }

  template <std::size_t kTokens>
  static void DotTokens(const Panel* panels, std::size_t /*count*/, const X* x,
                        std::size_t /*slots*/, float* acc) {
    const Panel& panel = *panels;
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
    const Header<Format> header(panel);
#pragma GCC unroll 8
    for (std::size_t t = 0; t < kTokens; ++t) {
      const __m512i s = RemoveBias(header, x[t], sum[t]);
      FinishSuper(header, x[t], s, acc + t * kLanes);
    }
  }
};

template <typename Format>
struct Kernel32 : Format {
  using X = BlockQ8x32;
  using Panel = typename Format::Panel;

  static void Dot(const Panel* panels, std::size_t count, const X* x, std::size_t slots,
                  std::size_t tokens, float* acc) {
    DotAllTokens<Kernel32>(panels, count, x, slots, tokens, acc);
  }

  template <std::size_t kTokens>
  static void DotTokens(const Panel* panels, std::size_t count, const X* x, std::size_t slots,
                        float* acc) {
    __m512 total[kTokens];
#pragma GCC unroll 8
    for (std::size_t t = 0; t < kTokens; ++t) {
      total[t] = LoadFloats(acc + t * kLanes);
    }
    for (std::size_t b = 0; b < count; ++b, x += slots) {
      __m512i sum[kTokens];
#pragma GCC unroll 8
      for (std::size_t i = 0; i < Format::kQuads; ++i) {
        const __m512i codes = panels[b].q[i];
#pragma GCC unroll 8
        for (std::size_t t = 0; t < kTokens; ++t) {
          sum[t] = _mm512_dpbusd_epi32(i == 0 ? _mm512_setzero_si512() : sum[t], codes,
                                       SplatQuad(x[t].q + 4 * i));
        }
      }
#pragma GCC unroll 8
      for (std::size_t t = 0; t < kTokens; ++t) {
        total[t] = FinishBlock<Format>(panels[b], x[t], sum[t], total[t]);
      }
    }
#pragma GCC unroll 8
    for (std::size_t t = 0; t < kTokens; ++t) {
      StoreFloats(acc + t * kLanes, total[t]);
    }
  }
};

}  // namespace
}  // namespace tandem::cpu
