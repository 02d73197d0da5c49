#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/avx512/many_tokens-inl.h"
#include "kernels/cpu/panel32-inl.h"

// As many_tokens-inl.h, for the formats with one scale per 32 weights. For each block of a row and
// token there are eight dpbusd and, on the same two ports, a multiplication by either scale, of
// which all instruction sets round the first: ten operations for eight (eleven with minima).

namespace tandem::cpu {
namespace {

template <typename Format>
struct ManyKernel32 : Format {
  using X = BlockQ8x32;
  using Panel = typename Format::Panel;
  static constexpr std::size_t kPass = Format::kPass;

  static void Dot(const Panel* panels, std::size_t groups, std::size_t count, const X* x,
                  std::size_t slots, float* acc) {
    TileSums sums;
    ReadSums(count, x, slots, &sums);
    ForPanels(groups, [=, &sums](auto n, std::size_t g) {
      DotTile<n.kPanels>(panels + g * kPass, count, x, slots, sums, acc + g * kPanelSums);
    });
  }

 private:
  /// Of each block and token.
  struct TileSums {
    std::int32_t start[kPass][kManyTokens];  // -kBias times the sum of the activations
    float sum[kPass][kManyTokens];           // that sum, for minima
  };

  static void ReadSums(std::size_t count, const X* x, std::size_t slots, TileSums* sums) {
    constexpr auto kBias = static_cast<std::uint32_t>(Format::kBias);
    for (std::size_t b = 0; b < count; ++b, x += slots) {
#pragma GCC unroll 4
      for (std::size_t t = 0; t < kManyTokens; ++t) {
        if constexpr (Format::kBias != 0) {
          // Unsigned: the sums of tokens that are not there may be anything.
          const std::uint32_t sum = static_cast<std::uint32_t>(x[t].sum);
          sums->start[b][t] = static_cast<std::int32_t>(sum * -kBias);
        }
        if constexpr (Format::kMins) {
          sums->sum[b][t] = static_cast<float>(x[t].sum);
        }
      }
    }
  }

  template <std::size_t kPanels>
  static void DotTile(const Panel* panels, std::size_t count, const X* x, std::size_t slots,
                      const TileSums& sums, float* acc) {
    FloatVec total[kPanels][kManyTokens];
#pragma GCC unroll 2
    for (std::size_t p = 0; p < kPanels; ++p) {
#pragma GCC unroll 4
      for (std::size_t t = 0; t < kManyTokens; ++t) {
        total[p][t] = LoadFloats(acc + p * kPanelSums + t * kLanes);
      }
    }
    for (std::size_t b = 0; b < count; ++b, x += slots) {
      IntVec sum[kPanels][kManyTokens];
#pragma GCC unroll 4
      for (std::size_t t = 0; t < kManyTokens; ++t) {
        const IntVec first = Format::kBias == 0 ? Splat32(0) : Splat32(sums.start[b][t]);
#pragma GCC unroll 2
        for (std::size_t p = 0; p < kPanels; ++p) {
          sum[p][t] = first;
        }
      }
#pragma GCC unroll 8
      for (std::size_t i = 0; i < Format::kQuads; ++i) {
#pragma GCC unroll 4
        for (std::size_t t = 0; t < kManyTokens; ++t) {
          const IntVec four = SplatQuad(x[t].q + 4 * i);
#pragma GCC unroll 2
          for (std::size_t p = 0; p < kPanels; ++p) {
            sum[p][t] = _mm512_dpbusd_epi32(sum[p][t], panels[p * kPass + b].q[i], four);
          }
        }
      }
#pragma GCC unroll 2
      for (std::size_t p = 0; p < kPanels; ++p) {
        const Panel& panel = panels[p * kPass + b];
#pragma GCC unroll 4
        for (std::size_t t = 0; t < kManyTokens; ++t) {
          const float x_sum = Format::kMins ? sums.sum[b][t] : 0;
          total[p][t] =
              AddBlock<Format>(panel.d, panel.min_d, x[t].d, x_sum, sum[p][t], total[p][t]);
        }
      }
    }
#pragma GCC unroll 2
    for (std::size_t p = 0; p < kPanels; ++p) {
#pragma GCC unroll 4
      for (std::size_t t = 0; t < kManyTokens; ++t) {
        StoreFloats(acc + p * kPanelSums + t * kLanes, total[p][t]);
      }
    }
  }
};

/// With fewer tokens a panel costs as much to make as its products, and one at a time follows
/// memory better.
template <typename Format>
void RunPanels32(const MatMulArgs& args) {
  if (args.tokens > kStreamTokens) {
    RunMany<ManyKernel32<Format>>(args);
  } else {
    RunMatMul<Kernel32<Format>>(args);
  }
}

}  // namespace
}  // namespace tandem::cpu
