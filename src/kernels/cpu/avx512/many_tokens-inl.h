#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/avx512/dot-inl.h"
#include "kernels/cpu/matmul-inl.h"

// Products of super-blocks with so many tokens that multiplications set the pace. Two of the four
// vector ports multiply, and they should do little but dpbusd:
//   - An activation is loaded once for two panels, or the loads would be as many as the products.
//   - Two sub-blocks are summed side by side, sixteen sums that do not wait for each other. Where
//     their sums fit 16 bits they become one vector, shifted together on the other two ports, and
//     one dpwssd multiplies both by their scales. Whether they fit is known from BlockQ8K::most;
//     where not, each is multiplied alone.
//   - A sum starts at what the codes' bias takes away again.
//   - Weights are fetched a block ahead, results are written tile by tile, so that neither has the
//     ports wait for memory.
// The integers S and M are exact, so the results have the bits of panel-inl.h.

namespace tandem::cpu {
namespace {

/// Tokens of a tile. x and the sums have room for whole ones.
constexpr std::size_t kManyTokens = 4;

template <std::size_t kCount>
struct Panels {
  static constexpr std::size_t kPanels = kCount;
};
/// Floats from the sums of one panel's rows to those of the next panel's.
constexpr std::size_t kPanelSums = kMaxTokens * kLanes;

/// Calls dot(Panels<n>, g) for n panels from group g on, until all have had their turn.
template <typename F>
void ForPanels(std::size_t groups, F dot) {
  std::size_t g = 0;
  for (; g + 2 <= groups; g += 2) {
    dot(Panels<2>(), g);
  }
  if (g < groups) {
    dot(Panels<1>(), g);
  }
}

template <typename Format>
struct ManyKernel : Format {
  using X = BlockQ8K;
  struct Panel : Format::Panel {
    IntVec scale_pairs[Format::kSubs / 2];  // words: the scales of two neighbouring sub-blocks
  };
  static constexpr std::size_t kPairs = Format::kSubs / 2;
  static constexpr std::size_t kQuadsPerSub = Format::kQuads / Format::kSubs;
  static constexpr bool kBiased = Format::kBias != 0;

  static void Expand(const Rows& rows, Panel* panel) {
    Format::Expand(rows, panel);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kPairs; ++i) {
      panel->scale_pairs[i] =
          JoinWords(panel->scale[2 * i], ShiftLeft32<16>(panel->scale[2 * i + 1]));
    }
  }

  /// Whether the sums of all sub-blocks fit 16 bits.
  static bool FitsWords(const BlockQ8K& x) {
    constexpr int kUpper = Format::kSigned ? kSignedBias : Format::kMaxCode - Format::kBias;
    constexpr int kReach = kUpper > Format::kBias ? kUpper : Format::kBias;
    constexpr int kSixteens = 16 / static_cast<int>(Format::kSubs);  // of a sub-block
    return kReach * kSixteens * x.most <= INT16_MAX;
  }

  static void Dot(const Panel* panels, std::size_t groups, std::size_t /*count*/, const X* x,
                  std::size_t /*slots*/, float* acc) {
    bool words = true;
    for (std::size_t t = 0; t < kManyTokens; ++t) {
      words = words && FitsWords(x[t]);
    }
    ForPanels(groups, [=](auto n, std::size_t g) {
      if (words) {
        DotTile<n.kPanels, true>(panels + g, x, acc + g * kPanelSums);
      } else {
        DotTile<n.kPanels, false>(panels + g, x, acc + g * kPanelSums);
      }
    });
  }

 private:
  /// kPanels panels times a tile.
  template <std::size_t kPanels, bool kWords>
  static void DotTile(const Panel* panels, const X* x, float* acc) {
    alignas(64) std::int32_t start[kManyTokens][16];
    if constexpr (kBiased) {
#pragma GCC unroll 4
      for (std::size_t t = 0; t < kManyTokens; ++t) {
        StoreStarts(x[t], start[t]);
      }
    }
    __m512i sum[kPanels][kManyTokens];
#pragma GCC unroll 2
    for (std::size_t p = 0; p < kPanels; ++p) {
#pragma GCC unroll 4
      for (std::size_t t = 0; t < kManyTokens; ++t) {
        sum[p][t] = _mm512_setzero_si512();
      }
    }
    for (std::size_t pair = 0; pair < kPairs; ++pair) {
      __m512i part[2][kPanels][kManyTokens];
#pragma GCC unroll 2
      for (std::size_t side = 0; side < 2; ++side) {
#pragma GCC unroll 4
        for (std::size_t t = 0; t < kManyTokens; ++t) {
          const __m512i first =
              kBiased ? _mm512_set1_epi32(start[t][2 * pair + side]) : _mm512_setzero_si512();
#pragma GCC unroll 2
          for (std::size_t p = 0; p < kPanels; ++p) {
            part[side][p][t] = first;
          }
        }
      }
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kQuadsPerSub; ++i) {
#pragma GCC unroll 2
        for (std::size_t side = 0; side < 2; ++side) {
          const std::size_t quad = (2 * pair + side) * kQuadsPerSub + i;
#pragma GCC unroll 4
          for (std::size_t t = 0; t < kManyTokens; ++t) {
            const __m512i four = SplatQuad(x[t].q + 4 * quad);
#pragma GCC unroll 2
            for (std::size_t p = 0; p < kPanels; ++p) {
              part[side][p][t] = _mm512_dpbusd_epi32(part[side][p][t], panels[p].q[quad], four);
            }
          }
        }
      }
#pragma GCC unroll 2
      for (std::size_t p = 0; p < kPanels; ++p) {
#pragma GCC unroll 4
        for (std::size_t t = 0; t < kManyTokens; ++t) {
          if constexpr (kWords) {
            const __m512i words = JoinWords(part[0][p][t], ShiftLeft32<16>(part[1][p][t]));
            sum[p][t] = _mm512_dpwssd_epi32(sum[p][t], words, panels[p].scale_pairs[pair]);
          } else {
#pragma GCC unroll 2
            for (std::size_t side = 0; side < 2; ++side) {
              sum[p][t] = Add32(sum[p][t], _mm512_mullo_epi32(part[side][p][t],
                                                              panels[p].scale[2 * pair + side]));
            }
          }
        }
      }
    }
#pragma GCC unroll 2
    for (std::size_t p = 0; p < kPanels; ++p) {
      const Header<Format> header(panels[p]);
#pragma GCC unroll 4
      for (std::size_t t = 0; t < kManyTokens; ++t) {
        FinishSuper(header, x[t], sum[p][t], acc + p * kPanelSums + t * kLanes);
      }
    }
  }

  /// The low words of the one with the high words of the other, whose low ones are 0.
  static __m512i JoinWords(__m512i low, __m512i high) {
    return _mm512_ternarylogic_epi32(high, low, Splat32(0xFFFF), 0xF8);  // high | (low & mask)
  }

  /// -kBias times the sum of each sub-block.
  static void StoreStarts(const BlockQ8K& x, std::int32_t* starts) {
    constexpr int kShift = Log2(Format::kBias);
    if constexpr (Format::kSubs == 16) {
      const __m256i sums = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x.sums));
      const __m512i bias = _mm512_slli_epi32(_mm512_cvtepi16_epi32(sums), kShift);
      _mm512_store_si512(starts, _mm512_sub_epi32(_mm512_setzero_si512(), bias));
    } else {
      const __m128i sums = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x.pair_sums));
      const __m256i bias = _mm256_slli_epi32(_mm256_cvtepi16_epi32(sums), kShift);
      _mm256_store_si256(reinterpret_cast<__m256i*>(starts),
                         _mm256_sub_epi32(_mm256_setzero_si256(), bias));
    }
  }
};

template <typename Kernel>
struct ManyScratch {
  typename Kernel::Panel panels[kBandRows / kLanes][Kernel::kPass];
  alignas(64) float acc[kBandRows / kLanes][kMaxTokens][kLanes];
  alignas(64) std::uint8_t rows[kLanes * sizeof(typename Kernel::Block)];
};

/// The blocks of a band's rows that are wanted next, fetched a few rows at a time.
class BlockFetch {
 public:
  /// `bytes` from `begin` on in each row: of the band's rows, or of the next ones if begin is 0.
  BlockFetch(const MatMulArgs& args, const Band& band, std::size_t begin, std::size_t bytes,
             std::size_t turns)
      : stride_(args.w_row_bytes), bytes_(bytes) {
    std::size_t rows = band.end - band.begin;
    p_ = static_cast<const std::uint8_t*>(args.w) + (begin == 0 ? band.end : band.begin) * stride_ +
         begin;
    if (begin == 0 && p_ + rows * stride_ > args.w_end) {
      rows = 0;
    }
    end_ = p_ + rows * stride_;
    rows_per_turn_ = (rows + turns - 1) / turns;
  }

  void Turn() {
    for (std::size_t r = 0; r < rows_per_turn_ && p_ < end_; ++r, p_ += stride_) {
      for (std::size_t line = 0; line < bytes_; line += 64) {
        _mm_prefetch(reinterpret_cast<const char*>(p_ + line), _MM_HINT_T0);
      }
      _mm_prefetch(reinterpret_cast<const char*>(p_ + bytes_ - 1), _MM_HINT_T0);
    }
  }

 private:
  std::size_t stride_;
  std::size_t bytes_;
  const std::uint8_t* p_;
  const std::uint8_t* end_;
  std::size_t rows_per_turn_;
};

/// A Kernel is as in matmul-inl.h, but for
///   Dot(panels, groups, count, x, slots, acc)   for kManyTokens tokens and the panels of `groups`
///                         times 16 rows; those of a group are kPass panels, its sums kPanelSums
///                         floats, from the ones before
template <typename Kernel>
void RunManyBand(const MatMulArgs& args, const Band& band, ManyScratch<Kernel>* scratch) {
  constexpr std::size_t kBytes = sizeof(typename Kernel::Block);
  constexpr std::size_t kPass = Kernel::kPass;
  const std::size_t blocks = args.cols / Kernel::kLength;
  const std::size_t tiles = (band.tokens + kManyTokens - 1) / kManyTokens;
  for (std::size_t g = 0; g < band.groups(); ++g) {
    __builtin_memset(scratch->acc[g], 0, tiles * kManyTokens * sizeof(scratch->acc[g][0]));
  }
  const auto count_from = [blocks](std::size_t b) {
    return blocks - b < kPass ? blocks - b : kPass;
  };
  const auto* x = static_cast<const typename Kernel::X*>(args.x) + band.first;
  for (std::size_t b = 0; b < blocks; b += kPass, x += kPass * args.x_slots) {
    const std::size_t count = count_from(b);
    for (std::size_t g = 0; g < band.groups(); ++g) {
      ExpandGroup<Kernel>(args, band, b, count, g, scratch->rows, scratch->panels[g],
                          sizeof(scratch->panels[g][0]));
    }
    const std::size_t next = b + kPass < blocks ? b + kPass : 0;
    BlockFetch fetch(args, band, next * kBytes, count_from(next) * kBytes, tiles);
    for (std::size_t t = 0; t < band.tokens; t += kManyTokens) {
      if (!band.stream) {
        fetch.Turn();
      }
      Kernel::Dot(scratch->panels[0], band.groups(), count, x + t, args.x_slots,
                  scratch->acc[0][t]);
      if (b + kPass >= blocks) {
        const std::size_t left = band.tokens - t;
        StoreTokens(args, band, t, left < kManyTokens ? left : kManyTokens, scratch->acc);
      }
    }
  }
}

template <typename Kernel>
void RunMany(const MatMulArgs& args) {
  static_assert(sizeof(ManyScratch<Kernel>) <= kScratchBytes);
  static_assert(kMaxTokens % kManyTokens == 0);
  auto* scratch = static_cast<ManyScratch<Kernel>*>(args.scratch);
  ForBands(args, 2 * kLanes, [&](const Band& band) { RunManyBand<Kernel>(args, band, scratch); });
}

}  // namespace
}  // namespace tandem::cpu
