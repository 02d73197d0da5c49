#pragma once

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/panels-inl.h"

// What causal and full attention share: a running softmax (arXiv:2205.14135) over blocks of keys,
// and the products of a panel of kPanelTokens queries with one block. Include after an instruction
// set's floats-inl.h.

namespace tandem::cpu {
namespace {

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

/// The running softmax of up to kLanes neighbouring queries.
struct SoftmaxRows {
  static constexpr float kLog2E = 0x1.715476p+0F;

  float factor;   // scores times this are powers of 2
  float* scores;  // [query][key], `stride` floats apart: become the numerators
  std::size_t stride;
  float* maxima;       // [query], room for kLanes: of scores times factor, at first -infinity
  float* corrections;  // [query], room for kLanes: what earlier sums are multiplied by
  float* totals;       // [query][lane]

  /// A block of kVectors vectors of keys; keys that a query must not see have scores of -infinity.
  /// Every query sees at least one key of its first block.
  template <std::size_t kVectors>
  void Step(std::size_t queries) const {
    float fresh[kLanes];
    Store(fresh, Load(maxima));
    for (std::size_t m = 0; m < queries; ++m) {
      const float* row = scores + m * stride;
      F32 max = Load(row);
#pragma GCC unroll 16
      for (std::size_t i = 1; i < kVectors; ++i) {
        max = Max(Load(row + i * kLanes), max);
      }
      fresh[m] = MaxLanes(max) * factor;
    }
    const F32 old = Load(maxima);
    const F32 larger = Max(Load(fresh), old);
    Store(corrections, Exp2OfNegative(old - larger));
    Store(maxima, larger);
    for (std::size_t m = 0; m < queries; ++m) {
      float* row = scores + m * stride;
      const F32 max = Set(maxima[m]);
      F32 total = Zero();
#pragma GCC unroll 16
      for (std::size_t i = 0; i < kVectors; ++i) {
        const F32 p = Exp2OfNegative(MulAdd(Load(row + i * kLanes), Set(factor), Zero() - max));
        Store(row + i * kLanes, p);
        total = total + p;
      }
      float* sum = totals + m * kLanes;
      Store(sum, MulAdd(Load(sum), Set(corrections[m]), total));
    }
  }
};

/// scores[query * kStride + key] of a panel of queries, [column][query], with at least the first
/// `count` keys of a block, which lie as [column][key] in panels of kPanelRows keys, `panel_step`
/// floats apart.
template <std::size_t kStride>
void ScorePanel(const float* q, const float* keys, std::size_t panel_step, std::size_t dim,
                std::size_t count, float* scores) {
  for (std::size_t key = 0; key < count; key += kPanelRows) {
    F32 acc[kPanelTokens * kPanelVectors];
#pragma GCC unroll 24
    for (std::size_t i = 0; i < kPanelTokens * kPanelVectors; ++i) {
      acc[i] = Zero();
    }
    AddProducts<kPanelVectors, kPanelTokens, 1>(q, keys + key / kPanelRows * panel_step, kPanelRows,
                                                dim, acc);
#pragma GCC unroll 12
    for (std::size_t t = 0; t < kPanelTokens; ++t) {
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kPanelVectors; ++v) {
        Store(scores + t * kStride + key + v * kLanes, acc[t * kPanelVectors + v]);
      }
    }
  }
}

/// kV vectors of columns of `count` values, [key][column], weighted by p, [query][key] and kStride
/// floats apart, join the running sums, [query][column].
template <std::size_t kStride, std::size_t kV>
void AddPanelValues(const float* p, const float* values, std::size_t width, std::size_t count,
                    const float* corrections, float* sums) {
  F32 acc[kPanelTokens * kV];
#pragma GCC unroll 24
  for (std::size_t i = 0; i < kPanelTokens * kV; ++i) {
    acc[i] = Zero();
  }
  AddProducts<kV, 1, kStride>(p, values, width, count, acc);
#pragma GCC unroll 12
  for (std::size_t t = 0; t < kPanelTokens; ++t) {
    const F32 correction = Set(corrections[t]);
    float* sum = sums + t * width;
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kV; ++v) {
      Store(sum + v * kLanes, MulAdd(Load(sum + v * kLanes), correction, acc[t * kV + v]));
    }
  }
}

/// All `width` columns, a multiple of kLanes.
template <std::size_t kStride>
void AddPanel(const float* p, const float* values, std::size_t width, std::size_t count,
              const float* corrections, float* sums) {
  std::size_t c = 0;
  for (; c + kPanelRows <= width; c += kPanelRows) {
    AddPanelValues<kStride, kPanelVectors>(p, values + c, width, count, corrections, sums + c);
  }
  if (c < width) {
    AddPanelValues<kStride, 1>(p, values + c, width, count, corrections, sums + c);
  }
}

}  // namespace
}  // namespace tandem::cpu
