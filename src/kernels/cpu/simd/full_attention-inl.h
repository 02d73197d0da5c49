#pragma once

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/panels-inl.h"

// Attention of rows that all see the same keys (FullAttentionTask). Include after an instruction
// set's floats-inl.h.
//
// Blocks of keys are met in order; a block's weighted values are added up key by key, then joined
// to the running sum (arXiv:2205.14135). A block's keys and its values each fit the first cache;
// the task's rows pass kPanelTokens at a time. Its layout: kPanelRows keys after another as [value
// of the head][key], then the values as [key][value of the head].

namespace tandem::cpu {
namespace {

inline constexpr std::size_t kBlockKeys = kFullBlockKeys;
/// Floats from one row's scores to the next: not a multiple of the cache's ways.
inline constexpr std::size_t kScoreStride = kBlockKeys + 16;
static_assert(kBlockKeys % kPanelRows == 0 && kFullDimMultiple % kLanes == 0);
static_assert(kFullRows % kPanelTokens == 0 && kPanelTokens <= kLanes);

inline std::size_t PaddedDim(std::size_t dim) {
  return (dim + kFullDimMultiple - 1) / kFullDimMultiple * kFullDimMultiple;
}

inline F32 LoadUpTo(const float* p, std::size_t n) {
  return n >= kLanes ? Load(p) : LoadFirst(p, n);
}

// Whole vectors of kLanes columns: out[c * width + i] = row i, column c, for rows below count.
inline void TurnRows(const float* x, std::size_t stride, std::size_t count, std::size_t columns,
                     std::size_t rows, float* out, std::size_t width) {
  for (std::size_t c = 0; c < columns; c += kLanes) {
    const std::size_t rest = columns - c;
    const auto load = [x, stride, c, rest](std::size_t i) {
      return LoadUpTo(x + i * stride + c, rest);
    };
    StoreTurned(count, load, rows, out + c * width, width);
  }
}

inline void PackKeys(const PackKeysTask& task) {
  const std::size_t padded = PaddedDim(task.head_dim);
  for (std::size_t key = 0; key < kBlockKeys; key += kLanes) {
    const std::size_t count = task.count > key ? SmallerOf(kLanes, task.count - key) : 0;
    float* panel = task.block + key / kPanelRows * kPanelRows * padded + key % kPanelRows;
    TurnRows(task.k + key * task.stride, task.stride, count, task.head_dim, kLanes, panel,
             kPanelRows);
  }
  float* values = task.block + kBlockKeys * padded;
  for (std::size_t j = 0; j < kBlockKeys; ++j, values += padded) {
    for (std::size_t c = 0; c < padded; c += kLanes) {
      const bool there = j < task.count && c < task.head_dim;
      Store(values + c, there ? LoadUpTo(task.v + j * task.stride + c, task.head_dim - c) : Zero());
    }
  }
}

/// 2^x within 2 ulp for x <= 0, at least 2^-126. x = n + r, |r| <= 1/2, and 2^r as 1 + r p(r), p
/// interpolated at Chebyshev points with a relative error of 1e-8.
inline F32 Exp2OfNegative(F32 x) {
  x = Max(Set(-126.0F), x);
  const F32 n = RoundToInt(x);
  const F32 r = x - n;
  F32 p = Set(0x1.44138ap-13F);
  p = MulAdd(p, r, Set(0x1.5f0890p-10F));
  p = MulAdd(p, r, Set(0x1.3b2a54p-7F));
  p = MulAdd(p, r, Set(0x1.c6af6cp-5F));
  p = MulAdd(p, r, Set(0x1.ebfbe0p-3F));
  p = MulAdd(p, r, Set(0x1.62e430p-1F));
  return ScaleByPower(MulAdd(p, r, Set(1.0F)), n);
}

/// What a task keeps of its rows, in panels of kPanelTokens.
struct FullState {
  std::size_t padded;  // columns of a head in whole vectors
  float* q;            // [panel][column][row], scaled so that scores are powers of 2
  float* sums;         // [row][column]
  float* totals;       // [row][lane]
  float* maxima;       // [panel][lane], lanes are rows
  float* scores;       // [row][key], of one panel and block
  float* corrections;  // [lane], of one panel and block
};

inline FullState StartFull(const FullAttentionTask& task) {
  constexpr float kLog2E = 0x1.715476p+0F;
  constexpr std::size_t kPanels = kFullRows / kPanelTokens;
  FullState state;
  state.padded = PaddedDim(task.head_dim);
  state.q = static_cast<float*>(task.scratch);
  state.sums = state.q + kFullRows * state.padded;
  state.totals = state.sums + kFullRows * state.padded;
  state.maxima = state.totals + kFullRows * kLanes;
  state.scores = state.maxima + kPanels * kLanes;
  state.corrections = state.scores + kPanelTokens * kScoreStride;
  const F32 factor = Set(task.scale * kLog2E);
  for (std::size_t row = 0; row < task.rows; row += kPanelTokens) {
    float* q = state.q + row * state.padded;
    TurnRows(task.q + row * task.q_stride, task.q_stride, SmallerOf(kPanelTokens, task.rows - row),
             task.head_dim, kPanelTokens, q, kPanelTokens);
    for (std::size_t i = 0; i < kPanelTokens * state.padded; i += kLanes) {
      Store(q + i, Load(q + i) * factor);
    }
  }
  const std::size_t rows = (task.rows + kPanelTokens - 1) / kPanelTokens * kPanelTokens;
  __builtin_memset(state.sums, 0, rows * state.padded * sizeof(float));
  __builtin_memset(state.totals, 0, rows * kLanes * sizeof(float));
  for (std::size_t i = 0; i < rows / kPanelTokens * kLanes; ++i) {
    state.maxima[i] = -__builtin_inff();
  }
  return state;
}

// Scores of one panel of rows with the first `count` keys of a block; -infinity for others.
inline void ScorePanel(const FullState& state, std::size_t panel, const float* keys,
                       std::size_t dim, std::size_t count) {
  const float* q = state.q + panel * kPanelTokens * state.padded;
  for (std::size_t key = 0; key < count; key += kPanelRows) {
    F32 acc[kPanelTokens * kPanelVectors];
#pragma GCC unroll 24
    for (std::size_t i = 0; i < kPanelTokens * kPanelVectors; ++i) {
      acc[i] = Zero();
    }
    AddProducts<kPanelVectors, kPanelTokens, 1>(q, keys + key * state.padded, kPanelRows, dim, acc);
#pragma GCC unroll 12
    for (std::size_t t = 0; t < kPanelTokens; ++t) {
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kPanelVectors; ++v) {
        Store(state.scores + t * kScoreStride + key + v * kLanes, acc[t * kPanelVectors + v]);
      }
    }
  }
  for (std::size_t t = 0; count < kBlockKeys && t < kPanelTokens; ++t) {
    for (std::size_t j = count; j < kBlockKeys; ++j) {
      state.scores[t * kScoreStride + j] = -__builtin_inff();
    }
  }
}

// Scores become numerators of the softmax.
inline void SoftmaxPanel(const FullState& state, std::size_t panel) {
  constexpr std::size_t kVectors = kBlockKeys / kLanes;
  float* maxima = state.maxima + panel * kLanes;
  float fresh[kLanes];
  Store(fresh, Load(maxima));
#pragma GCC unroll 12
  for (std::size_t t = 0; t < kPanelTokens; ++t) {
    const float* row = state.scores + t * kScoreStride;
    F32 max = Load(row);
#pragma GCC unroll 8
    for (std::size_t i = 1; i < kVectors; ++i) {
      max = Max(Load(row + i * kLanes), max);
    }
    fresh[t] = MaxLanes(max);
  }
  const F32 old = Load(maxima);
  const F32 larger = Max(Load(fresh), old);
  Store(state.corrections, Exp2OfNegative(old - larger));
  Store(maxima, larger);
  for (std::size_t t = 0; t < kPanelTokens; ++t) {
    float* row = state.scores + t * kScoreStride;
    const F32 max = Set(maxima[t]);
    F32 total = Zero();
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kVectors; ++i) {
      const F32 p = Exp2OfNegative(Load(row + i * kLanes) - max);
      Store(row + i * kLanes, p);
      total = total + p;
    }
    float* totals = state.totals + (panel * kPanelTokens + t) * kLanes;
    Store(totals, MulAdd(Load(totals), Set(state.corrections[t]), total));
  }
}

// kV vectors of columns of the values, weighted, join the running sums.
template <std::size_t kV>
void AddPanelValues(const FullState& state, std::size_t panel, const float* values,
                    std::size_t count, std::size_t column) {
  F32 acc[kPanelTokens * kV];
#pragma GCC unroll 24
  for (std::size_t i = 0; i < kPanelTokens * kV; ++i) {
    acc[i] = Zero();
  }
  AddProducts<kV, 1, kScoreStride>(state.scores, values + column, state.padded, count, acc);
#pragma GCC unroll 12
  for (std::size_t t = 0; t < kPanelTokens; ++t) {
    const F32 correction = Set(state.corrections[t]);
    float* sums = state.sums + (panel * kPanelTokens + t) * state.padded + column;
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kV; ++v) {
      Store(sums + v * kLanes, MulAdd(Load(sums + v * kLanes), correction, acc[t * kV + v]));
    }
  }
}

inline void FinishFull(const FullState& state, const FullAttentionTask& task) {
  for (std::size_t t = 0; t < task.rows; ++t) {
    const F32 total = Set(SumLanes(Load(state.totals + t * kLanes)));
    float* out = task.out + t * task.out_stride;
    for (std::size_t c = 0; c < task.head_dim; c += kLanes) {
      const F32 result = Load(state.sums + t * state.padded + c) / total;
      if (c + kLanes <= task.head_dim) {
        Store(out + c, result);
      } else {
        StoreFirst(out + c, result, task.head_dim - c);
      }
    }
  }
}

void FullAttention(const FullAttentionTask& task) {
  const FullState state = StartFull(task);
  const std::size_t panels = (task.rows + kPanelTokens - 1) / kPanelTokens;
  for (std::size_t begin = 0; begin < task.keys; begin += kBlockKeys) {
    const std::size_t count = SmallerOf(kBlockKeys, task.keys - begin);
    const float* block = task.blocks + 2 * begin * state.padded;
    const float* values = block + kBlockKeys * state.padded;
    for (std::size_t panel = 0; panel < panels; ++panel) {
      ScorePanel(state, panel, block, task.head_dim, count);
      SoftmaxPanel(state, panel);
      std::size_t column = 0;
      for (; column + kPanelRows <= state.padded; column += kPanelRows) {
        AddPanelValues<kPanelVectors>(state, panel, values, count, column);
      }
      if (column < state.padded) {
        AddPanelValues<1>(state, panel, values, count, column);
      }
    }
  }
  FinishFull(state, task);
}

static_assert((kFullRows * (2 * kFullMaxDim + kLanes) + kFullRows / kPanelTokens * kLanes +
               kPanelTokens * kScoreStride + kLanes) *
                  sizeof(float) <=
              kScratchBytes);

inline void InstallFullAttention(KernelTable* table) {
  table->pack_keys = &PackKeys;
  table->full_attention = &FullAttention;
}

}  // namespace
}  // namespace tandem::cpu
