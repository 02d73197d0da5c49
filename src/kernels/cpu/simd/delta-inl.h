#pragma once

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/vector_ops-inl.h"

// Gated delta rule, one value head (DeltaTask). Include after an instruction set's floats-inl.h.
//
// The rows of the state (one per value dimension) never meet, so four of them at a time run through
// all rows of the call while they sit in the first cache level, with q and k normalised once
// beforehand. Prefill and decode are the same arithmetic, and a state is read and written once per
// kChunkRows rows. The chunked parallel form (models.md 2.5) needs as many operations at D = 128
// and gives other bits (delta_test.cc compares).
//
// Per state row s, with the sums over k in lanes (order of SumLanes) and these scalars in double:
//   p = decay * (s . k);  d = beta * (v - p);  out = decay * (s . q) + d * (k . q)
//   s <- decay * s + d * k
// where out is q . (new s), written so that both sums can run at once over the old s.

namespace tandem::cpu {
namespace {

inline constexpr std::size_t kMaxDeltaDim = 512;
inline constexpr std::size_t kChunkRows = 64;  // q and k of this many rows stay in the second cache
inline constexpr std::size_t kStateRows = 4;   // whose sums fill one vector

/// One row of the call, all that its state rows share.
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

// y = x * (scale / sqrt(sum x^2 + 1e-6)), zeros up to width.
inline void Normalise(const float* x, std::size_t n, double scale, float* y, std::size_t width) {
  const F64 factor = SetF64(scale / SquareRoot(DotInDouble(x, x, n) + 1e-6));
  for (std::size_t i = 0; i < width; i += kLanes) {
    const Doubles v = Widen(i + kLanes <= n ? Load(x + i) : LoadFirst(x + i, n - i));
    Store(y + i, Narrow(v.low * factor, v.high * factor));
  }
}

inline DeltaStep PrepareStep(const DeltaTask& task, std::size_t t) {
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

/// Four state rows and their sums with the next row's k and q.
struct StateRows {
  float* s;
  std::size_t stride;
  F32 k_sums[kStateRows];
  F32 q_sums[kStateRows];
};

inline void StartSums(StateRows& rows, const float* k, const float* q, std::size_t width) {
#pragma GCC unroll 4
  for (std::size_t r = 0; r < kStateRows; ++r) {
    rows.k_sums[r] = Zero();
    rows.q_sums[r] = Zero();
  }
  for (std::size_t i = 0; i < width; i += kLanes) {
    const F32 key = Load(k + i);
    const F32 query = Load(q + i);
#pragma GCC unroll 4
    for (std::size_t r = 0; r < kStateRows; ++r) {
      const F32 s = Load(rows.s + r * rows.stride + i);
      rows.k_sums[r] = MulAdd(s, key, rows.k_sums[r]);
      rows.q_sums[r] = MulAdd(s, query, rows.q_sums[r]);
    }
  }
}

// s <- decay * s + d * k, and the new rows' sums with the next row's k and q.
template <bool kKeeps>
void UpdateRows(StateRows& rows, const float* d, float factor, const float* k, const float* next_k,
                const float* next_q, std::size_t width) {
  F32 k_sums[kStateRows];
  F32 q_sums[kStateRows];
  F32 delta[kStateRows];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < kStateRows; ++r) {
    k_sums[r] = Zero();
    q_sums[r] = Zero();
    delta[r] = Set(d[r]);
  }
  const F32 scale = Set(factor);
  for (std::size_t i = 0; i < width; i += kLanes) {
    const F32 key = Load(k + i);
    const F32 next_key = Load(next_k + i);
    const F32 next_query = Load(next_q + i);
#pragma GCC unroll 4
    for (std::size_t r = 0; r < kStateRows; ++r) {
      float* p = rows.s + r * rows.stride + i;
      const F32 old = Load(p);
      const F32 s = MulAdd(delta[r], key, kKeeps ? MulAdd(scale, old, old) : scale * old);
      Store(p, s);
      k_sums[r] = MulAdd(s, next_key, k_sums[r]);
      q_sums[r] = MulAdd(s, next_query, q_sums[r]);
    }
  }
#pragma GCC unroll 4
  for (std::size_t r = 0; r < kStateRows; ++r) {
    rows.k_sums[r] = k_sums[r];
    rows.q_sums[r] = q_sums[r];
  }
}

// One row of the call: writes the four outputs and moves the state on.
inline void StepRows(StateRows& rows, const DeltaChunk& chunk, std::size_t t, __m128 v,
                     float* out) {
  const DeltaStep& step = chunk.steps[t];
  const TwoFours sums = SumEight(rows.k_sums, rows.q_sums);
  const __m256d decay = _mm256_set1_pd(step.decay);
  const __m256d predicted = decay * _mm256_cvtps_pd(sums.first);
  const __m256d d = _mm256_set1_pd(step.beta) * (_mm256_cvtps_pd(v) - predicted);
  const __m256d result =
      _mm256_fmadd_pd(d, _mm256_set1_pd(step.kq), decay * _mm256_cvtps_pd(sums.second));
  _mm_storeu_ps(out, _mm256_cvtpd_ps(result));
  alignas(16) float delta[kStateRows];
  _mm_store_ps(delta, _mm256_cvtpd_ps(d));
  const float* k = chunk.k + t * chunk.width;
  // After the last row the sums are not used; its own k and q are at hand.
  const std::size_t next = (t + 1 < chunk.rows ? t + 1 : t) * chunk.width;
  if (step.keeps) {
    UpdateRows<true>(rows, delta, step.factor, k, chunk.k + next, chunk.q + next, chunk.width);
  } else {
    UpdateRows<false>(rows, delta, step.factor, k, chunk.k + next, chunk.q + next, chunk.width);
  }
}

inline float* Snapshot(const DeltaTask& task, std::size_t t) {
  float* start = task.snapshots == nullptr ? nullptr : task.snapshots[t];
  return start == nullptr ? nullptr : start + task.snapshot_offset;
}

inline void CopyRows(float* to, std::size_t to_stride, const float* from, std::size_t from_stride,
                     std::size_t rows, std::size_t n) {
  for (std::size_t r = 0; r < rows; ++r) {
    __builtin_memcpy(to + r * to_stride, from + r * from_stride, n * sizeof(float));
  }
}

// kGroups groups of whole state rows in place, from value dimension v. Two groups at once: one's
// sums over lanes wait while the other's multiply.
template <std::size_t kGroups>
void RunWhole(const DeltaTask& task, const DeltaChunk& chunk, std::size_t first, std::size_t v) {
  StateRows groups[kGroups];
#pragma GCC unroll 2
  for (std::size_t g = 0; g < kGroups; ++g) {
    groups[g].s = task.state + (v + g * kStateRows) * task.dim;
    groups[g].stride = task.dim;
    StartSums(groups[g], chunk.k, chunk.q, chunk.width);
  }
  for (std::size_t t = 0; t < chunk.rows; ++t) {
    const float* values = task.v + (first + t) * task.qkv_stride + v;
    float* out = task.out + (first + t) * task.out_stride + v;
#pragma GCC unroll 2
    for (std::size_t g = 0; g < kGroups; ++g) {
      StepRows(groups[g], chunk, t, _mm_loadu_ps(values + g * kStateRows), out + g * kStateRows);
    }
    if (float* snapshot = Snapshot(task, first + t); snapshot != nullptr) {
      CopyRows(snapshot + v * task.dim, task.dim, groups[0].s, task.dim, kGroups * kStateRows,
               task.dim);
    }
  }
}

// Up to four state rows through a copy padded with zeros: the same lanes hold the same numbers.
inline void RunPadded(const DeltaTask& task, const DeltaChunk& chunk, std::size_t first,
                      std::size_t v, std::size_t count, float* copy) {
  for (std::size_t i = 0; i < kStateRows * chunk.width; ++i) {
    copy[i] = 0;
  }
  CopyRows(copy, chunk.width, task.state + v * task.dim, task.dim, count, task.dim);
  StateRows rows;
  rows.s = copy;
  rows.stride = chunk.width;
  StartSums(rows, chunk.k, chunk.q, chunk.width);
  for (std::size_t t = 0; t < chunk.rows; ++t) {
    float values[kStateRows] = {};
    float out[kStateRows];
    __builtin_memcpy(values, task.v + (first + t) * task.qkv_stride + v, count * sizeof(float));
    StepRows(rows, chunk, t, _mm_loadu_ps(values), out);
    __builtin_memcpy(task.out + (first + t) * task.out_stride + v, out, count * sizeof(float));
    if (float* snapshot = Snapshot(task, first + t); snapshot != nullptr) {
      CopyRows(snapshot + v * task.dim, task.dim, copy, chunk.width, count, task.dim);
    }
  }
  CopyRows(task.state + v * task.dim, task.dim, copy, chunk.width, count, task.dim);
}

void Delta(const DeltaTask& task) {
  const std::size_t dim = task.dim;
  const std::size_t width = (dim + kLanes - 1) / kLanes * kLanes;
  const double q_scale = 1.0 / SquareRoot(static_cast<double>(dim));
  auto* q = static_cast<float*>(task.scratch);
  float* k = q + kChunkRows * width;
  float* copy = k + kChunkRows * width;
  DeltaStep steps[kChunkRows];
  for (std::size_t first = 0; first < task.rows; first += kChunkRows) {
    const std::size_t left = task.rows - first;
    const std::size_t rows = left < kChunkRows ? left : kChunkRows;
    for (std::size_t t = 0; t < rows; ++t) {
      steps[t] = PrepareStep(task, first + t);
      Normalise(task.q + (first + t) * task.qkv_stride, dim, q_scale, q + t * width, width);
      Normalise(task.k + (first + t) * task.qkv_stride, dim, 1.0, k + t * width, width);
      steps[t].kq = DotInDouble(k + t * width, q + t * width, width);
    }
    const DeltaChunk chunk = {steps, q, k, rows, width};
    std::size_t v = 0;
    if (dim == width) {
      for (; v + 2 * kStateRows <= dim; v += 2 * kStateRows) {
        RunWhole<2>(task, chunk, first, v);
      }
    }
    for (; v < dim; v += kStateRows) {
      RunPadded(task, chunk, first, v, dim - v < kStateRows ? dim - v : kStateRows, copy);
    }
  }
}

static_assert((2 * kChunkRows + kStateRows) * kMaxDeltaDim * sizeof(float) <= kScratchBytes);

}  // namespace
}  // namespace tandem::cpu
