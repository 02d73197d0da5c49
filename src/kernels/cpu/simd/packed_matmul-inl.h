#pragma once

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/float_matmul-inl.h"
#include "kernels/cpu/simd/panels-inl.h"

// Products with F16 and BF16 weights and many tokens (PackedMatMulArgs), in tiles without sums over
// lanes. Include after an instruction set's floats-inl.h.
//
// Two orders of summation. WideMatMul takes the columns as they come, in blocks of kBlockColumns
// that are added in order: the fastest. PackedMatMul gives the bits of the kernel for few tokens:
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
/// Columns whose products are one chain of additions in WideMatMul: rounding grows with its length.
inline constexpr std::size_t kBlockColumns = 256;
inline constexpr std::size_t kSweepFloats = kSweepPanels * kPanelTokens * kPanelRows;

inline std::size_t ChainLength(std::size_t columns) {
  return (columns + kLanes - 1) / kLanes;
}

/// Where a panel of `width` rows or tokens keeps column c = lane + kLanes * step.
struct PanelOrder {
  std::size_t lane_stride;
  std::size_t step_stride;
};
inline PanelOrder InChains(std::size_t width, std::size_t chain_stride) {
  return {.lane_stride = chain_stride, .step_stride = width};
}
inline PanelOrder InColumns(std::size_t width) {
  return {.lane_stride = width, .step_stride = kLanes * width};
}

inline void PackTokens(const float* x, std::size_t x_stride, std::size_t tokens,
                       std::size_t columns, const PanelOrder& order, float* out) {
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
          width, out + c * order.step_stride + first, order.lane_stride);
    }
  }
}

void PackFloats(const float* x, std::size_t x_stride, std::size_t tokens, std::size_t columns,
                float* out) {
  PackTokens(x, x_stride, tokens, columns,
             InChains(kPanelTokens, ChainLength(columns) * kPanelTokens), out);
}

void PackColumns(const float* x, std::size_t x_stride, std::size_t tokens, std::size_t columns,
                 float* out) {
  PackTokens(x, x_stride, tokens, columns, InColumns(kPanelTokens), out);
}

template <typename Weight>
void PackWeights(const std::byte* w, std::size_t row_bytes, std::size_t rows, std::size_t columns,
                 const PanelOrder& order, float* out) {
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
          kLanes, out + c * order.step_stride + first, order.lane_stride);
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
  const float* bias;  // of the rows, added last; null: none
};

inline void StoreResult(const TileTarget& target, std::size_t t, std::size_t v, F32 sum) {
  if (t >= target.tokens || v * kLanes >= target.rows) {
    return;
  }
  float* y = target.y + t * target.y_stride + v * kLanes;
  const bool biased = target.bias != nullptr;
  const float* bias = biased ? target.bias + v * kLanes : nullptr;
  const std::size_t rest = target.rows - v * kLanes;
  if (rest >= kLanes) {
    sum = target.add ? Load(y) + sum : sum;
    Store(y, biased ? sum + Load(bias) : sum);
  } else {
    sum = target.add ? LoadFirst(y, rest) + sum : sum;
    StoreFirst(y, biased ? sum + LoadFirst(bias, rest) : sum, rest);
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
                                .add = args.column > 0,
                                .bias = nullptr});
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
                        InChains(kPanelRows, panel.stride), panel.chains);
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

// One tile: the sums of the blocks before wait on the stack, so that the result is met once.
inline void MultiplyColumns(const float* x, const float* panel, std::size_t columns,
                            const TileTarget& target) {
  alignas(64) float sums[kTileSums * kLanes];
  F32 acc[kTileSums];
  for (std::size_t begin = 0; begin < columns; begin += kBlockColumns) {
#pragma GCC unroll 24
    for (std::size_t i = 0; i < kTileSums; ++i) {
      acc[i] = Zero();
    }
    AddProducts<kPanelVectors, kPanelTokens, 1>(x + begin * kPanelTokens,
                                                panel + begin * kPanelRows, kPanelRows,
                                                SmallerOf(kBlockColumns, columns - begin), acc);
#pragma GCC unroll 24
    for (std::size_t i = 0; i < kTileSums; ++i) {
      float* sum = sums + i * kLanes;
      Store(sum, begin == 0 ? acc[i] : Load(sum) + acc[i]);
    }
  }
  for (std::size_t i = 0; i < kTileSums; ++i) {
    StoreResult(target, i / kPanelVectors, i % kPanelVectors, Load(sums + i * kLanes));
  }
}

// The columns of all rows are packed once; then each panel of tokens, which comes from afar, meets
// all of them.
template <typename Weight>
void WideMatMul(const PackedMatMulArgs& args) {
  auto* panels = static_cast<float*>(args.scratch);
  const std::size_t panel_floats = ChainLength(args.columns) * kLanes * kPanelRows;
  const auto* w = static_cast<const std::byte*>(args.w) + args.column * kWeightBytes;
  for (std::size_t row = 0; row < args.rows; row += kPanelRows) {
    PackWeights<Weight>(w + row * args.w_row_bytes, args.w_row_bytes,
                        SmallerOf(kPanelRows, args.rows - row), args.columns, InColumns(kPanelRows),
                        panels + row / kPanelRows * panel_floats);
  }
  const float* x = args.x;
  for (std::size_t token = 0; token < args.tokens; token += kPanelTokens, x += args.x_panel) {
    for (std::size_t row = 0; row < args.rows; row += kPanelRows) {
      MultiplyColumns(x, panels + row / kPanelRows * panel_floats, args.columns,
                      {.y = args.y + token * args.y_stride + row,
                       .y_stride = args.y_stride,
                       .tokens = args.tokens - token,
                       .rows = args.rows - row,
                       .add = args.column > 0,
                       .bias = args.bias == nullptr ? nullptr : args.bias + row});
    }
  }
}

static_assert(kWideRows % kPanelRows == 0 &&
              kWideRows * kPackedColumns * sizeof(float) <= kScratchBytes);
static_assert(kGroups == 2 || kGroups == 4);
static_assert((kLanes * (kColumns / kLanes * kPanelRows + kChainGap) + 2 * kSweepFloats) *
                  sizeof(float) <=
              kScratchBytes);

inline void InstallPackedMatMuls(KernelTable* table) {
  table->packed_tokens = kPanelTokens;
  table->pack_floats = &PackFloats;
  table->pack_columns = &PackColumns;
  table->matmul[kTypeF16].run_packed = &PackedMatMul<Half>;
  table->matmul[kTypeBf16].run_packed = &PackedMatMul<Bf16>;
  table->matmul[kTypeF16].run_wide = &WideMatMul<Half>;
  table->matmul[kTypeBf16].run_wide = &WideMatMul<Bf16>;
}

}  // namespace
}  // namespace tandem::cpu
