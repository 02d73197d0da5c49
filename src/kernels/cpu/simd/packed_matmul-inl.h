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

static_assert(kPackedBlock == kColumns && kPackedColumns % kColumns == 0);

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

/// Floats of a panel of tokens.
inline std::size_t TokenPanel(std::size_t columns) {
  return (columns + kPackedMultiple - 1) / kPackedMultiple * kPackedMultiple * kPanelTokens;
}

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

/// A panel of weights and the sums in the making: of all tokens of a sweep, [token][row].
struct WeightPanel {
  float* chains;
  std::size_t stride;  // from one chain to the next
  std::size_t length;  // of a chain
  float* sums;         // of the groups so far
  float* third;        // of group 2, until group 3 joins it
  float* totals;       // of the blocks of columns so far
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

/// The tile's part of y, zeros beside it.
inline void LoadTile(const TileTarget& from, float* sums) {
  for (std::size_t t = 0; t < SmallerOf(kPanelTokens, from.tokens); ++t) {
    const float* y = from.y + t * from.y_stride;
    for (std::size_t row = 0; row < SmallerOf(kPanelRows, from.rows); row += kLanes) {
      const std::size_t rest = from.rows - row;
      Store(sums + t * kPanelRows + row, rest >= kLanes ? Load(y + row) : LoadFirst(y + row, rest));
    }
  }
}
inline void StoreTile(const float* sums, const TileTarget& to) {
  for (std::size_t t = 0; t < SmallerOf(kPanelTokens, to.tokens); ++t) {
    float* y = to.y + t * to.y_stride;
    for (std::size_t row = 0; row < SmallerOf(kPanelRows, to.rows); row += kLanes) {
      const F32 sum = Load(sums + t * kPanelRows + row);
      const std::size_t rest = to.rows - row;
      rest >= kLanes ? Store(y + row, sum) : StoreFirst(y + row, sum, rest);
    }
  }
}

/// Memory that is wanted next, fetched a little at a time: rows of some bytes.
class RowFetch {
 public:
  RowFetch() = default;
  RowFetch(const std::byte* p, std::size_t stride, std::size_t rows, std::size_t bytes,
           std::size_t turns)
      : p_(p), stride_(stride), lines_((bytes + kLine - 1) / kLine) {
    end_ = rows * lines_;
    lines_per_turn_ = (end_ + turns - 1) / turns;
  }

  void Turn() {
    for (std::size_t i = 0; i < lines_per_turn_ && at_ < end_; ++i, ++at_) {
      __builtin_prefetch(p_ + at_ / lines_ * stride_ + at_ % lines_ * kLine, 0, 2);
    }
  }

 private:
  static constexpr std::size_t kLine = 64;

  const std::byte* p_ = nullptr;
  std::size_t stride_ = 0;
  std::size_t lines_ = 1;  // of a row
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  std::size_t lines_per_turn_ = 0;
};

/// The sums of four chains join those of the groups before; kCount of a tile. `first`: no blocks of
/// columns before.
template <std::size_t kGroupIndex, std::size_t kCount>
void MultiplyGroup(const float* x, const WeightPanel& panel, std::size_t at, bool first) {
  alignas(64) float even[kTileSums * kLanes];
  alignas(64) float odd[kTileSums * kLanes];
  F32 acc[kCount];
  const auto chain = [&](std::size_t r) {
#pragma GCC unroll 24
    for (std::size_t i = 0; i < kCount; ++i) {
      acc[i] = Zero();
    }
    r += kGroupIndex * kGroupChains;
    AddProducts<kPanelVectors, kPanelTokens, 1>(x + r * panel.length * kPanelTokens,
                                                panel.chains + r * panel.stride, kPanelRows,
                                                panel.length, acc);
  };
  chain(0);
#pragma GCC unroll 24
  for (std::size_t i = 0; i < kCount; ++i) {
    Store(even + i * kLanes, acc[i]);
  }
  chain(2);
#pragma GCC unroll 24
  for (std::size_t i = 0; i < kCount; ++i) {
    Store(even + i * kLanes, Load(even + i * kLanes) + acc[i]);
  }
  chain(1);
#pragma GCC unroll 24
  for (std::size_t i = 0; i < kCount; ++i) {
    Store(odd + i * kLanes, acc[i]);
  }
  chain(3);
  float* sums = panel.sums + at;
  float* third = panel.third + at;
  float* totals = panel.totals + at;
#pragma GCC unroll 24
  for (std::size_t i = 0; i < kCount; ++i, sums += kLanes, third += kLanes, totals += kLanes) {
    const F32 sum = Load(even + i * kLanes) + (Load(odd + i * kLanes) + acc[i]);
    F32 joined = sum;
    if constexpr (kGroupIndex == 1) {
      joined = Load(sums) + sum;
    } else if constexpr (kGroupIndex == 3) {
      joined = Load(sums) + (Load(third) + sum);
    }
    if constexpr (kGroupIndex + 1 == kGroups) {
      Store(totals, first ? joined : Load(totals) + joined);
    } else {
      Store(kGroupIndex == 2 ? third : sums, joined);
    }
  }
}

/// The panels of tokens that a sweep passes over.
struct Sweep {
  const float* x;
  std::size_t x_panel;
  std::size_t tokens;
  bool first;  // no blocks of columns before
};

template <std::size_t kGroupIndex>
void SweepGroup(const Sweep& sweep, const WeightPanel& panel, RowFetch* fetch) {
  constexpr std::size_t kThird = kPanelTokens / 3 * kPanelVectors;  // of a tile's sums
  std::size_t at = 0;
  const float* x = sweep.x;
  for (std::size_t t = 0; t < sweep.tokens; t += kPanelTokens, x += sweep.x_panel) {
    fetch->Turn();
    const std::size_t sums = (sweep.tokens - t) * kPanelVectors;
    if (sums <= kThird) {
      MultiplyGroup<kGroupIndex, kThird>(x, panel, at, sweep.first);
    } else if (sums <= 2 * kThird) {
      MultiplyGroup<kGroupIndex, 2 * kThird>(x, panel, at, sweep.first);
    } else {
      MultiplyGroup<kGroupIndex, kTileSums>(x, panel, at, sweep.first);
    }
    at += kTileSums * kLanes;
  }
}

/// kPanelRows rows of weights from `row` on, or fewer, and `sweep.tokens` tokens from `token` on.
template <typename Weight>
void PackedSweep(const PackedMatMulArgs& args, std::size_t row, std::size_t token,
                 std::size_t tokens, WeightPanel* panel) {
  const std::byte* w =
      static_cast<const std::byte*>(args.w) + row * args.w_row_bytes + args.column * kWeightBytes;
  const std::size_t rows = SmallerOf(kPanelRows, args.rows - row);
  const std::size_t all_tokens = (args.tokens + kPanelTokens - 1) / kPanelTokens * kPanelTokens;
  const std::size_t tiles = (tokens + kPanelTokens - 1) / kPanelTokens;
  const auto target = [&](std::size_t tile) {
    const std::size_t t = token + tile * kPanelTokens;
    return TileTarget{.y = args.y + t * args.y_stride + row,
                      .y_stride = args.y_stride,
                      .tokens = args.tokens - t,
                      .rows = rows,
                      .add = false,
                      .bias = nullptr};
  };
  for (std::size_t tile = 0; args.column > 0 && tile < tiles; ++tile) {
    LoadTile(target(tile), panel->totals + tile * kTileSums * kLanes);
  }
  for (std::size_t column = 0; column < args.columns; column += kColumns) {
    const std::size_t columns = SmallerOf(kColumns, args.columns - column);
    panel->length = ChainLength(columns);
    panel->stride = panel->length * kPanelRows + kChainGap;
    PackWeights<Weight>(w + column * kWeightBytes, args.w_row_bytes, rows, columns,
                        InChains(kPanelRows, panel->stride), panel->chains);
    // Then come the next columns, or the first ones of the next rows.
    const bool more = column + kColumns < args.columns;
    const std::byte* next =
        more ? w + (column + kColumns) * kWeightBytes : w + kPanelRows * args.w_row_bytes;
    const std::size_t next_columns =
        SmallerOf(kColumns, more ? args.columns - column - kColumns : args.columns);
    RowFetch fetch;
    if (more || next + rows * args.w_row_bytes <= static_cast<const std::byte*>(args.w_end)) {
      fetch = RowFetch(next, args.w_row_bytes, rows, next_columns * kWeightBytes, kGroups * tiles);
    }
    const std::size_t x_panel = TokenPanel(columns);
    const Sweep sweep = {.x = args.x + column * all_tokens + token / kPanelTokens * x_panel,
                         .x_panel = x_panel,
                         .tokens = tokens,
                         .first = args.column + column == 0};
    SweepGroup<0>(sweep, *panel, &fetch);
    SweepGroup<1>(sweep, *panel, &fetch);
    if constexpr (kGroups == 4) {
      SweepGroup<2>(sweep, *panel, &fetch);
      SweepGroup<3>(sweep, *panel, &fetch);
    }
  }
  for (std::size_t tile = 0; tile < tiles; ++tile) {
    StoreTile(panel->totals + tile * kTileSums * kLanes, target(tile));
  }
}

template <typename Weight>
void PackedMatMul(const PackedMatMulArgs& args) {
  constexpr std::size_t kSweepTokens = kSweepPanels * kPanelTokens;
  WeightPanel panel;
  panel.sums = static_cast<float*>(args.scratch);
  panel.third = panel.sums + kSweepFloats;
  panel.totals = panel.third + kSweepFloats;
  panel.chains = panel.totals + kSweepFloats;
  for (std::size_t row = 0; row < args.rows; row += kPanelRows) {
    for (std::size_t token = 0; token < args.tokens; token += kSweepTokens) {
      PackedSweep<Weight>(args, row, token, SmallerOf(kSweepTokens, args.tokens - token), &panel);
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
  const std::size_t x_panel = TokenPanel(args.columns);
  for (std::size_t token = 0; token < args.tokens; token += kPanelTokens, x += x_panel) {
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
              kWideRows * kPackedBlock * sizeof(float) <= kScratchBytes);
static_assert(kGroups == 2 || kGroups == 4);
static_assert((kLanes * (kColumns / kLanes * kPanelRows + kChainGap) + 3 * kSweepFloats) *
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
