#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/avx2/vec-inl.h"
#include "kernels/cpu/panel-inl.h"
#include "kernels/cpu/panel32-inl.h"

// Dot products of a panel with tokens by maddubs: four codes of each lane times four activations
// of one token in every lane.

namespace tandem::cpu {
namespace {

/// Tokens that share one pass over a panel: as many sums as there are registers for.
constexpr std::size_t kTogether = 4;

/// How many products of kMaxCode and 127, two to a word, can be added before a word overflows.
template <typename Format>
constexpr std::size_t kFit = 32767 / (2 * Format::kMaxCode * 127);

/// Four codes of each lane times four activations, added to two words per lane.
template <typename Format>
__m256i MultiplyQuad(__m256i codes, __m256i magnitudes, const std::int8_t* x) {
  const __m256i a = SplatQuad(x);
  if constexpr (Format::kSigned) {
    return _mm256_maddubs_epi16(magnitudes, _mm256_sign_epi8(a, codes));
  } else {
    return _mm256_maddubs_epi16(codes, a);
  }
}

/// Quads [begin, end) of the panel, few enough for words, times those of kTokens tokens.
template <typename Format, std::size_t kTokens, std::size_t kCount, typename X>
inline void AddQuads(const __m256i* q, const X* x, std::size_t begin, __m256i* words) {
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kCount; ++i) {
    const __m256i codes = q[begin + i];
    const __m256i magnitudes = Format::kSigned ? _mm256_abs_epi8(codes) : codes;
#pragma GCC unroll 4
    for (std::size_t t = 0; t < kTokens; ++t) {
      const __m256i product = MultiplyQuad<Format>(codes, magnitudes, x[t].q + 4 * (begin + i));
      words[t] = i == 0 ? product : _mm256_add_epi16(words[t], product);
    }
  }
}

template <typename Format>
struct SuperKernel : Format {
  using X = BlockQ8K;
  using Panel = typename Format::Panel;

  static void Dot(const Panel* panel, std::size_t /*count*/, const X* x, std::size_t /*slots*/,
                  std::size_t tokens, float* acc) {
    for (; tokens >= kTogether; tokens -= kTogether, x += kTogether, acc += kTogether * kLanes) {
      DotTokens<kTogether>(*panel, x, acc);
    }
    for (; tokens > 0; --tokens, ++x, acc += kLanes) {
      DotTokens<1>(*panel, x, acc);
    }
  }

 private:
  static constexpr std::size_t kQuadsPerSub = Format::kQuads / Format::kSubs;
  static constexpr std::size_t kCount = kFit<Format> < kQuadsPerSub ? kFit<Format> : kQuadsPerSub;
  static_assert(kQuadsPerSub % kCount == 0);

  template <std::size_t kTokens>
  static void DotTokens(const Panel& panel, const X* x, float* acc) {
    __m256i sum[kTokens];
    for (__m256i& s : sum) {
      s = _mm256_setzero_si256();
    }
    for (std::size_t quad = 0; quad < Format::kQuads; quad += kCount) {
      const __m256i scale = panel.scale[quad / kQuadsPerSub];
      __m256i words[kTokens];
      AddQuads<Format, kTokens, kCount>(panel.q, x, quad, words);
#pragma GCC unroll 4
      for (std::size_t t = 0; t < kTokens; ++t) {
        sum[t] = _mm256_add_epi32(sum[t], _mm256_madd_epi16(words[t], scale));
      }
    }
    const Header<Format> header(panel);
#pragma GCC unroll 4
    for (std::size_t t = 0; t < kTokens; ++t) {
      const __m256i s = RemoveBias(header, x[t], sum[t]);
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
    for (; tokens >= kTogether; tokens -= kTogether, x += kTogether, acc += kTogether * kLanes) {
      DotTokens<kTogether>(panels, count, x, slots, acc);
    }
    for (; tokens > 0; --tokens, ++x, acc += kLanes) {
      DotTokens<1>(panels, count, x, slots, acc);
    }
  }

 private:
  static constexpr std::size_t kCount = kFit<Format> < 8 ? kFit<Format> : 8;
  static_assert(8 % kCount == 0);

  template <std::size_t kTokens>
  static void DotTokens(const Panel* panels, std::size_t count, const X* x, std::size_t slots,
                        float* acc) {
    const __m256i ones = _mm256_set1_epi16(1);
    __m256 total[kTokens];
#pragma GCC unroll 4
    for (std::size_t t = 0; t < kTokens; ++t) {
      total[t] = LoadFloats(acc + t * kLanes);
    }
    for (std::size_t b = 0; b < count; ++b, x += slots) {
      __m256i sum[kTokens];
#pragma GCC unroll 8
      for (std::size_t quad = 0; quad < 8; quad += kCount) {
        __m256i words[kTokens];
        AddQuads<Format, kTokens, kCount>(panels[b].q, x, quad, words);
#pragma GCC unroll 4
        for (std::size_t t = 0; t < kTokens; ++t) {
          const __m256i part = _mm256_madd_epi16(words[t], ones);
          sum[t] = quad == 0 ? part : _mm256_add_epi32(sum[t], part);
        }
      }
#pragma GCC unroll 4
      for (std::size_t t = 0; t < kTokens; ++t) {
        total[t] = FinishBlock<Format>(panels[b], x[t], sum[t], total[t]);
      }
    }
#pragma GCC unroll 4
    for (std::size_t t = 0; t < kTokens; ++t) {
      StoreFloats(acc + t * kLanes, total[t]);
    }
  }
};

}  // namespace
}  // namespace tandem::cpu
