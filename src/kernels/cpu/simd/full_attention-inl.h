#pragma once

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/attention_panels-inl.h"

// Attention of rows that all see the same keys (FullAttentionTask). Include after an instruction
// set's floats-inl.h.
//
// Blocks of keys are met in order; a block's weighted values are added up key by key, then joined
// to the running sum. A block's keys and its values each fit the first cache;
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

inline void PackKeys(const PackKeysTask& task) {
  const std::size_t padded = PaddedDim(task.head_dim);
  for (std::size_t key = 0; key < kBlockKeys; key += kLanes) {
    const std::size_t count = task.count > key ? SmallerOf(kLanes, task.count - key) : 0;
    float* panel = task.block + key / kPanelRows * kPanelRows * padded + key % kPanelRows;
    const auto row = [&](std::size_t i) { return task.k + (key + i) * task.stride; };
    TurnRows(row, count, task.head_dim, kLanes, panel, kPanelRows);
  }
  float* values = task.block + kBlockKeys * padded;
  for (std::size_t j = 0; j < kBlockKeys; ++j, values += padded) {
    for (std::size_t c = 0; c < padded; c += kLanes) {
      const bool there = j < task.count && c < task.head_dim;
      Store(values + c, there ? LoadUpTo(task.v + j * task.stride + c, task.head_dim - c) : Zero());
    }
  }
}

/// What a task keeps of its rows, in panels of kPanelTokens.
struct FullState {
  std::size_t padded;  // columns of a head in whole vectors
  float* q;            // [panel][column][row]
  float* sums;         // [row][column]
  float* totals;       // [row][lane]
  float* maxima;       // [panel][lane], lanes are rows
  float* scores;       // [row][key], of one panel and block
  float* corrections;  // [lane], of one panel and block
};

inline FullState StartFull(const FullAttentionTask& task) {
  constexpr std::size_t kPanels = kFullRows / kPanelTokens;
  FullState state;
  state.padded = PaddedDim(task.head_dim);
  state.q = static_cast<float*>(task.scratch);
  state.sums = state.q + kFullRows * state.padded;
  state.totals = state.sums + kFullRows * state.padded;
  state.maxima = state.totals + kFullRows * kLanes;
  state.scores = state.maxima + kPanels * kLanes;
  state.corrections = state.scores + kPanelTokens * kScoreStride;
  for (std::size_t begin = 0; begin < task.rows; begin += kPanelTokens) {
    const auto row = [&](std::size_t i) { return task.q + (begin + i) * task.q_stride; };
    TurnRows(row, SmallerOf(kPanelTokens, task.rows - begin), task.head_dim, kPanelTokens,
             state.q + begin * state.padded, kPanelTokens);
  }
  const std::size_t rows = (task.rows + kPanelTokens - 1) / kPanelTokens * kPanelTokens;
  __builtin_memset(state.sums, 0, rows * state.padded * sizeof(float));
  __builtin_memset(state.totals, 0, rows * kLanes * sizeof(float));
  for (std::size_t i = 0; i < rows / kPanelTokens * kLanes; ++i) {
    state.maxima[i] = -__builtin_inff();
  }
  return state;
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
      ScorePanel<kScoreStride>(state.q + panel * kPanelTokens * state.padded, block,
                               kPanelRows * state.padded, task.head_dim, count, state.scores);
      for (std::size_t t = 0; count < kBlockKeys && t < kPanelTokens; ++t) {
        for (std::size_t j = count; j < kBlockKeys; ++j) {
          state.scores[t * kScoreStride + j] = -__builtin_inff();
        }
      }
      const SoftmaxRows softmax = {task.scale * SoftmaxRows::kLog2E,
                                   state.scores,
                                   kScoreStride,
                                   state.maxima + panel * kLanes,
                                   state.corrections,
                                   state.totals + panel * kPanelTokens * kLanes};
      softmax.Step<kBlockKeys / kLanes>(kPanelTokens);
      AddPanel<kScoreStride>(state.scores, values, state.padded, count, state.corrections,
                             state.sums + panel * kPanelTokens * state.padded);
    }
  }
  FinishFull(state, task);
}

static_assert((kFullRows * (2 * kAttentionMaxDim + kLanes) + kFullRows / kPanelTokens * kLanes +
               kPanelTokens * kScoreStride + kLanes) *
                  sizeof(float) <=
              kScratchBytes);

inline void InstallFullAttention(KernelTable* table) {
  table->pack_keys = &PackKeys;
  table->full_attention = &FullAttention;
}

}  // namespace
}  // namespace tandem::cpu
