#pragma once

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/float_matmul-inl.h"
#include "kernels/cpu/simd/panels-inl.h"

// Products with F16 and BF16 weights and many tokens (PackedMatMulArgs), in tiles without sums over
// lanes. Include after an instruction set's floats-inl.h.
//
// float_matmul-inl.h keeps chain r, the columns r, r + kLanes, ..., in lane r and joins the lanes
// in the order of SumLanes. Here each chain is a tile of its own, and the tiles are joined in that
// order: the same bits. Weights are packed, per kPanelRows rows, as [chain][column of the
// chain][row], tokens, per kPanelTokens of them, as [chain][column of the chain][token].

namespace tandem::cpu {
namespace {

static_assert(kPackedColumns == kColumns);

inline constexpr std::size_t kWeightBytes = 2;
inline constexpr std::size_t kTileSums = kPanelTokens * kPanelVectors;
/// Between chains of weights, so that they do not fall into a few sets of the cache.
inline constexpr std::size_t kChainGap = 16;
/// Chains that are joined before others: one group of four lanes.
inline constexpr std::size_t kGroupChains = 4;
inline constexpr std::size_t kGroups = kLanes / kGroupChains;
/// Tokens whose sums are in the making at a time.
inline constexpr std::size_t kSweepPanels = 84;
inline constexpr std::size_t kSweepFloats = kSweepPanels * kPanelTokens * kPanelRows;

inline std::size_t ChainLength(std::size_t columns) {
  return (columns + kLanes - 1) / kLanes;
}

inline void PackFloats(const float* x, std::size_t x_stride, std::size_t tokens,
                       std::size_t columns, float* out) {
  const std::size_t length = ChainLength(columns);
  for (std::size_t first = 0; first < kPanelTokens; first += kLanes) {
    const std::size_t width = SmallerOf(kLanes, kPanelTokens - first);
    const std::size_t count = tokens > first ? SmallerOf(width, tokens - first) : 0;
    for (std::size_t c = 0; c < length; ++c) {
      const float* at = x + first * x_stride + c * kLanes;
      const std::size_t rest = columns - c * kLanes;
      StoreTurned(
          count,
          [at, x_stride, rest](std::size_t i) {
            return rest >= kLanes ? Load(at + i * x_stride) : LoadFirst(at + i * x_stride, rest);
          },
          width, out + c * kPanelTokens + first, length * kPanelTokens);
    }
  }
}

template <typename Weight>
void PackWeights(const std::byte* w, std::size_t row_bytes, std::size_t rows, std::size_t columns,
                 float* out, std::size_t stride) {
  const std::size_t length = ChainLength(columns);
  for (std::size_t first = 0; first < kPanelRows; first += kLanes) {
    const std::size_t count = rows > first ? SmallerOf(kLanes, rows - first) : 0;
    for (std::size_t c = 0; c < length; ++c) {
      const std::byte* at = w + first * row_bytes + c * kLanes * kWeightBytes;
      const std::size_t rest = columns - c * kLanes;
      StoreTurned(
          count,
          [at, row_bytes, rest](std::size_t i) {
            return rest >= kLanes ? Weight::LoadAt(at + i * row_bytes)
                                  : LoadWeightsFirst<Weight>(at + i * row_bytes, rest);
          },
          kLanes, out + c * kPanelRows + first, stride);
    }
  }
}

/// A panel of weights and the sums in the making.
struct WeightPanel {
  float* chains;
  std::size_t stride;  // from one chain to the next
  std::size_t length;  // of a chain
  float* sums;         // [token][row]: of the groups so far
  float* third;        // the same: of group 2, until group 3 joins it
};

/// Where one tile of the result goes.
struct TileTarget {
  float* y;
  std::size_t y_stride;
  std::size_t tokens;
  std::size_t rows;
  bool add;
};

inline void StoreResult(const TileTarget& target, std::size_t t, std::size_t v, F32 sum) {
  if (t >= target.tokens || v * kLanes >= target.rows) {
    return;
  }
  float* y = target.y + t * target.y_stride + v * kLanes;
  const std::size_t rest = target.rows - v * kLanes;
  if (rest >= kLanes) {
    Store(y, target.add ? Load(y) + sum : sum);
  } else {
    StoreFirst(y, target.add ? LoadFirst(y, rest) + sum : sum, rest);
  }
}

// The sums of four chains join those of the groups before, or the result.
template <std::size_t kGroupIndex>
void MultiplyGroup(const float* x, const WeightPanel& panel, std::size_t at,
                   const TileTarget& target) {
  alignas(64) float even[kTileSums * kLanes];
  alignas(64) float odd[kTileSums * kLanes];
  F32 acc[kTileSums];
  const auto chain = [&](std::size_t r) {
#pragma GCC unroll 24
    for (std::size_t i = 0; i < kTileSums; ++i) {
      acc[i] = Zero();
    }
    r += kGroupIndex * kGroupChains;
    AddProducts<kPanelVectors, kPanelTokens, 1>(x + r * panel.length * kPanelTokens,
                                                panel.chains + r * panel.stride, kPanelRows,
                                                panel.length, acc);
  };
  chain(0);
#pragma GCC unroll 24
  for (std::size_t i = 0; i < kTileSums; ++i) {
    Store(even + i * kLanes, acc[i]);
  }
  chain(2);
#pragma GCC unroll 24
  for (std::size_t i = 0; i < kTileSums; ++i) {
    Store(even + i * kLanes, Load(even + i * kLanes) + acc[i]);
  }
  chain(1);
#pragma GCC unroll 24
  for (std::size_t i = 0; i < kTileSums; ++i) {
    Store(odd + i * kLanes, acc[i]);
  }
  chain(3);
#pragma GCC unroll 24
  for (std::size_t i = 0; i < kTileSums; ++i) {
    const F32 sum = Load(even + i * kLanes) + (Load(odd + i * kLanes) + acc[i]);
    float* sums = panel.sums + at + i * kLanes;
    float* third = panel.third + at + i * kLanes;
    F32 total = sum;
    if constexpr (kGroupIndex == 1) {
      total = Load(sums) + sum;
    } else if constexpr (kGroupIndex == 3) {
      total = Load(sums) + (Load(third) + sum);
    }
    if constexpr (kGroupIndex + 1 == kGroups) {
      StoreResult(target, i / kPanelVectors, i % kPanelVectors, total);
    } else {
      Store(kGroupIndex == 2 ? third : sums, total);
    }
  }
}

template <std::size_t kGroupIndex>
void SweepGroup(const PackedMatMulArgs& args, const WeightPanel& panel, std::size_t row,
                std::size_t first, std::size_t last) {
  for (std::size_t p = first; p < last; ++p) {
    const std::size_t token = p * kPanelTokens;
    MultiplyGroup<kGroupIndex>(args.x + p * args.x_panel, panel, (p - first) * kTileSums * kLanes,
                               {.y = args.y + token * args.y_stride + row,
                                .y_stride = args.y_stride,
                                .tokens = args.tokens - token,
                                .rows = args.rows - row,
                                .add = args.column > 0});
  }
}

template <typename Weight>
void PackedMatMul(const PackedMatMulArgs& args) {
  WeightPanel panel;
  panel.length = ChainLength(args.columns);
  panel.stride = panel.length * kPanelRows + kChainGap;
  panel.chains = static_cast<float*>(args.scratch);
  panel.sums = panel.chains + kLanes * panel.stride;
  panel.third = panel.sums + kSweepFloats;
  const std::size_t panels = (args.tokens + kPanelTokens - 1) / kPanelTokens;
  for (std::size_t row = 0; row < args.rows; row += kPanelRows) {
    const std::byte* w =
        static_cast<const std::byte*>(args.w) + row * args.w_row_bytes + args.column * kWeightBytes;
    PackWeights<Weight>(w, args.w_row_bytes, SmallerOf(kPanelRows, args.rows - row), args.columns,
                        panel.chains, panel.stride);
    for (std::size_t first = 0; first < panels; first += kSweepPanels) {
      const std::size_t last = SmallerOf(panels, first + kSweepPanels);
      SweepGroup<0>(args, panel, row, first, last);
      SweepGroup<1>(args, panel, row, first, last);
      if constexpr (kGroups == 4) {
        SweepGroup<2>(args, panel, row, first, last);
        SweepGroup<3>(args, panel, row, first, last);
      }
    }
  }
}

static_assert(kGroups == 2 || kGroups == 4);
static_assert((kLanes * (kColumns / kLanes * kPanelRows + kChainGap) + 2 * kSweepFloats) *
                  sizeof(float) <=
              kScratchBytes);

inline void InstallPackedMatMuls(KernelTable* table) {
  table->packed_tokens = kPanelTokens;
  table->pack_floats = &PackFloats;
  table->matmul[kTypeF16].run_packed = &PackedMatMul<Half>;
  table->matmul[kTypeBf16].run_packed = &PackedMatMul<Bf16>;
}

}  // namespace
}  // namespace tandem::cpu
