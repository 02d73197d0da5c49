#pragma once

#include "kernels/cpu/kernel_table.h"

// The tile that products of many rows with many rows are made of: lanes are columns of the result,
// one value of each token is spread over all lanes, and no sum crosses lanes. Both sides are packed
// so that the tile reads them in order. Include after an instruction set's floats-inl.h.

namespace tandem::cpu {
namespace {

inline constexpr std::size_t kPanelVectors = 2;
inline constexpr std::size_t kPanelRows = kPanelVectors * kLanes;

/// acc[t * kV + v] += sum over k < n, in order, of x[k * kStep + t * kToken] * w[k * w_step + lanes
/// of vector v], for kCount / kV tokens.
template <std::size_t kV, std::size_t kStep, std::size_t kToken, std::size_t kCount>
[[gnu::always_inline]] inline void AddProducts(const float* x, const float* w, std::size_t w_step,
                                               std::size_t n, F32 (&acc)[kCount]) {
#pragma GCC unroll 4
  for (std::size_t k = 0; k < n; ++k, x += kStep, w += w_step) {
    F32 row[kV];
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kV; ++v) {
      row[v] = Load(w + v * kLanes);
    }
#pragma GCC unroll 12
    for (std::size_t t = 0; t < kCount / kV; ++t) {
      const F32 value = Set(x[t * kToken]);
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kV; ++v) {
        acc[t * kV + v] = MulAdd(value, row[v], acc[t * kV + v]);
      }
    }
  }
}

/// Turns kLanes vectors, vector i = load(i) for i < count and else zeros, and stores the first
/// `width` (at most kLanes) lanes of each result r at out + r * stride.
template <typename LoadVector>
[[gnu::always_inline]] inline void StoreTurned(std::size_t count, LoadVector load,
                                               std::size_t width, float* out, std::size_t stride) {
  F32 v[kLanes];
#pragma GCC unroll 16
  for (std::size_t i = 0; i < kLanes; ++i) {
    v[i] = i < count ? load(i) : Zero();
  }
  Transpose(v);
  if (width == kLanes) {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kLanes; ++r) {
      Store(out + r * stride, v[r]);
    }
    return;
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kLanes; ++r) {
    StoreFirst(out + r * stride, v[r], width);
  }
}

inline std::size_t SmallerOf(std::size_t a, std::size_t b) {
  return a < b ? a : b;
}

inline F32 LoadUpTo(const float* p, std::size_t n) {
  return n >= kLanes ? Load(p) : LoadFirst(p, n);
}

/// out[c * width + i] = row(i)[c] for rows below count, else 0; columns up to a whole vector.
/// `rows`, at most kLanes, are stored.
template <typename Row>
[[gnu::always_inline]] inline void TurnRows(Row row, std::size_t count, std::size_t columns,
                                            std::size_t rows, float* out, std::size_t width) {
  for (std::size_t c = 0; c < columns; c += kLanes) {
    const auto load = [&](std::size_t i) { return LoadUpTo(row(i) + c, columns - c); };
    StoreTurned(count, load, rows, out + c * width, width);
  }
}

}  // namespace
}  // namespace tandem::cpu
