#pragma once

#include <cstdint>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/vector_ops-inl.h"

// Gated delta rule, one value head (DeltaTask). Include after an instruction set's floats-inl.h.
//
// The state's columns (one per value dimension) never meet, so a block of them runs through all
// rows of the call while it sits in the first cache, with q and k normalised once beforehand.
// Prefill and decode are the same arithmetic, and a state is read and written once per kChunkRows
// rows. The chunked parallel form (models.md 2.5) needs as many operations at D = 128 and gives
// other bits (delta_test.cc compares).
//
// Per column s of the block, one lane each, with sums over the keys in kChains chains:
//   p = decay * (s . k);  d = beta * (v - p);  out = decay * (s . q) + d * (k . q)
//   s <- decay * s + d * k
// where out is q . (new s), written so that both sums come from one pass: the pass that updates s
// for a row also takes the next row's sums.

namespace tandem::cpu {
namespace {

inline constexpr std::size_t kMaxDeltaDim = 512;
inline constexpr std::size_t kChunkRows = 64;  // q and k of this many rows stay in the second cache
inline constexpr std::size_t kVectors = 2;     // of a block
inline constexpr std::size_t kBlock = kVectors * kLanes;
/// Up to this many rows a block stays where it is: copying it costs more than its distant lines.
inline constexpr std::size_t kInPlaceRows = 8;
/// Chains of each sum: with two sums of two vectors, what registers hold beside the operands.
inline constexpr std::size_t kChains = kSums / (2 * kVectors);

/// One row of the call, all that its columns share.
struct DeltaStep {
  double decay;
  double beta;
  double kq;     // k . q
  float factor;  // s <- s * factor + (keeps ? s : 0): exact near 1, where rounding exp(g) to float
  bool keeps;    // would shrink every part of the state alike, step after step
};

/// Rows of the call prepared in scratch memory: width floats each, zeros after dim.
struct DeltaChunk {
  const DeltaStep* steps;
  const float* q;
  const float* k;
  std::size_t rows;
  std::size_t width;
};

inline double DoubleSigmoid(double x) {
  return 1.0 / (1.0 + __builtin_exp(-x));
}

// y = x * factor, zeros from n up to width.
inline void ScaleRow(const float* x, std::size_t n, double factor, float* y, std::size_t width) {
  const F64 scale = SetF64(factor);
  for (std::size_t i = 0; i < width; i += kLanes) {
    const Doubles v = Widen(i + kLanes <= n ? Load(x + i) : LoadFirst(x + i, n - i));
    Store(y + i, Narrow(v.low * scale, v.high * scale));
  }
}

struct RowSums {
  double qq;
  double kk;
  double kq;
};
inline RowSums SumRow(const float* q, const float* k, std::size_t n) {
  Doubles qq = {ZeroF64(), ZeroF64()};
  Doubles kk = qq;
  Doubles kq = qq;
  ForVectors(n, [&](auto load, auto) {
    const Doubles a = Widen(load(q));
    const Doubles b = Widen(load(k));
    qq = {MulAdd(a.low, a.low, qq.low), MulAdd(a.high, a.high, qq.high)};
    kk = {MulAdd(b.low, b.low, kk.low), MulAdd(b.high, b.high, kk.high)};
    kq = {MulAdd(a.low, b.low, kq.low), MulAdd(a.high, b.high, kq.high)};
  });
  return {SumLanes(qq.low + qq.high), SumLanes(kk.low + kk.high), SumLanes(kq.low + kq.high)};
}

// The scalars of row t but for its norms.
inline DeltaStep Gates(const DeltaTask& task, std::size_t t) {
  DeltaStep step;
  const double alpha =
      static_cast<double>(task.alpha[t * task.alpha_stride]) + static_cast<double>(task.dt);
  // The identity above 20, as torch's softplus.
  const double softplus = alpha > 20.0 ? alpha : __builtin_log1p(__builtin_exp(alpha));
  const double g = static_cast<double>(task.a) * softplus;
  step.decay = __builtin_exp(g);
  step.beta = DoubleSigmoid(static_cast<double>(task.beta[t * task.beta_stride]));
  step.keeps = step.decay > 0.5;
  step.factor = static_cast<float>(step.keeps ? __builtin_expm1(g) : step.decay);
  step.kq = 0;
  return step;
}

// Rows [first, first + rows) of the task: scalars to steps, q and k normalised. In passes, so that
// the long latencies of one row's square roots run beside the next row's sums.
inline void PrepareRows(const DeltaTask& task, std::size_t first, std::size_t rows,
                        std::size_t width, DeltaStep* steps, float* q, float* k) {
  RowSums sums[kChunkRows];
  const auto row_q = [&](std::size_t t) { return task.q + (first + t) * task.qkv_stride; };
  const auto row_k = [&](std::size_t t) { return task.k + (first + t) * task.qkv_stride; };
  for (std::size_t t = 0; t < rows; ++t) {
    steps[t] = Gates(task, first + t);
  }
  for (std::size_t t = 0; t < rows; ++t) {
    sums[t] = SumRow(row_q(t), row_k(t), task.dim);
  }
  for (std::size_t t = 0; t < rows; ++t) {
    const double q_factor =
        1.0 / __builtin_sqrt(static_cast<double>(task.dim) * (sums[t].qq + 1e-6));
    const double k_factor = 1.0 / __builtin_sqrt(sums[t].kk + 1e-6);
    steps[t].kq = sums[t].kq * q_factor * k_factor;
    ScaleRow(row_q(t), task.dim, q_factor, q + t * width, width);
    ScaleRow(row_k(t), task.dim, k_factor, k + t * width, width);
  }
}

/// A block of columns: key i of its lanes is s + i * stride. Its sums with the coming row's k and
/// q.
struct Columns {
  float* s;
  std::size_t stride;
  F32 k_sums[kVectors];
  F32 q_sums[kVectors];
  F32 d[kVectors];
};

struct Chains {
  F32 sum[kChains][kVectors];
};

inline void Clear(Chains& chains) {
#pragma GCC unroll 4
  for (std::size_t c = 0; c < kChains; ++c) {
#pragma GCC unroll 2
    for (std::size_t j = 0; j < kVectors; ++j) {
      chains.sum[c][j] = Zero();
    }
  }
}
// Neighbours first, then their sums.
inline F32 Join(const Chains& chains, std::size_t j) {
  F32 sum = chains.sum[0][j] + chains.sum[1][j];
  if constexpr (kChains == 4) {
    sum = sum + (chains.sum[2][j] + chains.sum[3][j]);
  }
  return sum;
}

// Sums over the state as it is, with k and q of `width` keys.
inline void StartSums(Columns& columns, const float* k, const float* q, std::size_t width) {
  Chains k_sums;
  Chains q_sums;
  Clear(k_sums);
  Clear(q_sums);
  const float* s = columns.s;
  for (std::size_t i = 0; i < width; i += kChains) {
#pragma GCC unroll 4
    for (std::size_t c = 0; c < kChains; ++c, s += columns.stride) {
      // The next block's part of this row: lines too far apart for the hardware to expect.
      __builtin_prefetch(s + kBlock);
      __builtin_prefetch(s + 2 * kBlock - kLanes);
#pragma GCC unroll 2
      for (std::size_t j = 0; j < kVectors; ++j) {
        const F32 state = Load(s + j * kLanes);
        k_sums.sum[c][j] = MulAdd(state, Set(k[i + c]), k_sums.sum[c][j]);
        q_sums.sum[c][j] = MulAdd(state, Set(q[i + c]), q_sums.sum[c][j]);
      }
    }
  }
#pragma GCC unroll 2
  for (std::size_t j = 0; j < kVectors; ++j) {
    columns.k_sums[j] = Join(k_sums, j);
    columns.q_sums[j] = Join(q_sums, j);
  }
}

// d of a row of the call, from the sums over the old state, and its outputs, for n of the columns.
// A chain of dependent instructions: callers put another block's UpdateColumns behind it.
inline void FindDelta(Columns& columns, const DeltaStep& step, const float* v, std::size_t n,
                      float* out) {
  const F64 decay = SetF64(step.decay);
  const F64 beta = SetF64(step.beta);
  const F64 kq = SetF64(step.kq);
#pragma GCC unroll 2
  for (std::size_t j = 0; j < kVectors; ++j) {
    const std::size_t begin = j * kLanes;
    const std::size_t lanes = n > begin ? (n - begin < kLanes ? n - begin : kLanes) : 0;
    const Doubles value =
        Widen(lanes == kLanes ? Load(v + begin) : LoadFirst(lanes == 0 ? v : v + begin, lanes));
    const Doubles k_sum = Widen(columns.k_sums[j]);
    const Doubles q_sum = Widen(columns.q_sums[j]);
    const F64 low = beta * NegMulAdd(decay, k_sum.low, value.low);
    const F64 high = beta * NegMulAdd(decay, k_sum.high, value.high);
    columns.d[j] = Narrow(low, high);
    const F32 result =
        Narrow(MulAdd(low, kq, decay * q_sum.low), MulAdd(high, kq, decay * q_sum.high));
    if (lanes == kLanes) {
      Store(out + begin, result);
    } else if (lanes > 0) {
      StoreFirst(out + begin, result, lanes);
    }
  }
}

// s <- decay * s + d * k, and the new state's sums with the next row's k and q.
template <bool kKeeps>
[[gnu::always_inline]] inline void UpdateColumns(Columns& columns, float factor, const float* k,
                                                 const float* next_k, const float* next_q,
                                                 std::size_t width) {
  Chains k_sums;
  Chains q_sums;
  Clear(k_sums);
  Clear(q_sums);
  float* s = columns.s;
  const std::size_t stride = columns.stride;
  const F32 scale = Set(factor);
  const F32 d[kVectors] = {columns.d[0], columns.d[1]};
  for (std::size_t i = 0; i < width; i += kChains) {
#pragma GCC unroll 4
    for (std::size_t c = 0; c < kChains; ++c, s += stride) {
      const F32 key = Set(k[i + c]);
      const F32 next_key = Set(next_k[i + c]);
      const F32 next_query = Set(next_q[i + c]);
#pragma GCC unroll 2
      for (std::size_t j = 0; j < kVectors; ++j) {
        const F32 old = Load(s + j * kLanes);
        const F32 now = MulAdd(d[j], key, kKeeps ? MulAdd(scale, old, old) : scale * old);
        Store(s + j * kLanes, now);
        k_sums.sum[c][j] = MulAdd(now, next_key, k_sums.sum[c][j]);
        q_sums.sum[c][j] = MulAdd(now, next_query, q_sums.sum[c][j]);
      }
    }
  }
#pragma GCC unroll 2
  for (std::size_t j = 0; j < kVectors; ++j) {
    columns.k_sums[j] = Join(k_sums, j);
    columns.q_sums[j] = Join(q_sums, j);
  }
}

inline void UpdateColumns(Columns& columns, const DeltaChunk& chunk, std::size_t t) {
  const DeltaStep& step = chunk.steps[t];
  const float* k = chunk.k + t * chunk.width;
  // After the last row the sums are not used; its own k and q are at hand.
  const std::size_t next = (t + 1 < chunk.rows ? t + 1 : t) * chunk.width;
  if (step.keeps) {
    UpdateColumns<true>(columns, step.factor, k, chunk.k + next, chunk.q + next, chunk.width);
  } else {
    UpdateColumns<false>(columns, step.factor, k, chunk.k + next, chunk.q + next, chunk.width);
  }
}

// Columns [v, v + n) of a state into a block of `width` keys, zeros elsewhere.
inline void LoadColumns(const DeltaTask& task, std::size_t v, std::size_t n, std::size_t width,
                        float* s) {
  for (std::size_t i = 0; i < width; ++i) {
#pragma GCC unroll 2
    for (std::size_t begin = 0; begin < kBlock; begin += kLanes) {
      const float* from = task.state + i * task.dim + v + begin;
      F32 values = Zero();
      if (i < task.dim && begin < n) {
        values = begin + kLanes <= n ? Load(from) : LoadFirst(from, n - begin);
      }
      Store(s + i * kBlock + begin, values);
    }
  }
}
// And back to columns [v, v + n) of `state`, with kStream past the caches.
template <bool kStream>
inline void StoreColumns(const Columns& columns, std::size_t dim, std::size_t v, std::size_t n,
                         float* state) {
  for (std::size_t i = 0; i < dim; ++i) {
#pragma GCC unroll 2
    for (std::size_t begin = 0; begin < kBlock; begin += kLanes) {
      float* to = state + i * dim + v + begin;
      const float* from = columns.s + i * columns.stride + begin;
      if (begin + kLanes <= n) {
        if constexpr (kStream) {
          StoreStream(to, Load(from));
        } else {
          Store(to, Load(from));
        }
      } else if (begin < n) {
        StoreFirst(to, Load(from), n - begin);
      }
    }
  }
}

// A snapshot is for a step to come, if at all: it must not cost reading what it overwrites, nor
// push the state out of the caches.
inline void StoreSnapshot(const DeltaTask& task, const Columns& columns, std::size_t v,
                          std::size_t n, float* snapshot) {
  const bool aligned =
      reinterpret_cast<std::uintptr_t>(snapshot + v) % sizeof(F32) == 0 && task.dim % kLanes == 0;
  if (aligned) {
    StoreColumns<true>(columns, task.dim, v, n, snapshot);
  } else {
    StoreColumns<false>(columns, task.dim, v, n, snapshot);
  }
}

// Columns [v, v + n) through the rows of the chunk, which begins at row `first` of the task.
inline void RunColumns(const DeltaTask& task, const DeltaChunk& chunk, std::size_t first,
                       std::size_t v, std::size_t n, float* copy) {
  const bool in_place = chunk.rows <= kInPlaceRows && n == kBlock && chunk.width == task.dim;
  Columns columns;
  columns.s = in_place ? task.state + v : copy;
  columns.stride = in_place ? task.dim : kBlock;
  if (!in_place) {
    LoadColumns(task, v, n, chunk.width, copy);
  }
  StartSums(columns, chunk.k, chunk.q, chunk.width);
  for (std::size_t t = 0; t < chunk.rows; ++t) {
    FindDelta(columns, chunk.steps[t], task.v + (first + t) * task.qkv_stride + v, n,
              task.out + (first + t) * task.out_stride + v);
    UpdateColumns(columns, chunk, t);
    if (task.snapshots != nullptr && task.snapshots[first + t] != nullptr) {
      StoreSnapshot(task, columns, v, n, task.snapshots[first + t] + task.snapshot_offset);
    }
  }
  if (!in_place) {
    StoreColumns<false>(columns, task.dim, v, n, task.state);
  }
}

inline std::size_t AtMost(std::size_t limit, std::size_t n) {
  return n < limit ? n : limit;
}

void Delta(const DeltaTask& task) {
  const std::size_t dim = task.dim;
  const std::size_t width = (dim + kLanes - 1) / kLanes * kLanes;
  auto* q = static_cast<float*>(task.scratch);
  float* k = q + kChunkRows * width;
  float* copy = k + kChunkRows * width;
  DeltaStep steps[kChunkRows];
  for (std::size_t first = 0; first < task.rows; first += kChunkRows) {
    const std::size_t rows = AtMost(kChunkRows, task.rows - first);
    PrepareRows(task, first, rows, width, steps, q, k);
    const DeltaChunk chunk = {steps, q, k, rows, width};
    for (std::size_t v = 0; v < dim; v += kBlock) {
      RunColumns(task, chunk, first, v, AtMost(kBlock, dim - v), copy);
    }
  }
  if (task.snapshots != nullptr) {
    StreamFence();
  }
}

static_assert((2 * kChunkRows + kBlock) * kMaxDeltaDim * sizeof(float) <= kScratchBytes);

}  // namespace
}  // namespace tandem::cpu
