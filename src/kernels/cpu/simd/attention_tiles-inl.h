#pragma once

#include "kernels/cpu/simd/kv-inl.h"
#include "kernels/cpu/simd/panels-inl.h"

// Causal attention of a few queries with a page as it lies in the cache: memory sets the pace, so
// numbers are converted as they are read, once for up to kGroup queries. Include after an
// instruction set's floats-inl.h.
//
// A score is one chain of additions over the columns, a weighted sum one over a page's keys: the
// order of the panels that many queries are computed in, so the bits are the same.

namespace tandem::cpu {
namespace {

inline constexpr std::size_t kGroup = 4;  // queries that share a loaded key or value
inline constexpr std::size_t kPageVectors = kPageTokens / kLanes;
inline constexpr std::size_t kLineBytes = 64;

/// Vectors side by side for kQ queries: a power of two, and as many sums as stay in registers
/// beside what they are made of, scales included.
template <typename Kv, std::size_t kQ>
constexpr std::size_t TileVectors(std::size_t most) {
  constexpr std::size_t kRoom = Kv::kScaled ? kSums : kPanelTokens * kPanelVectors;
  std::size_t n = most;
  while (n * kQ > kRoom) {
    n /= 2;
  }
  return n;
}

/// Memory to fetch into the second cache meanwhile, `bytes` with each step. The first cache has too
/// few fill buffers to keep memory busy.
struct Ahead {
  const std::byte* p;
  std::size_t bytes;

  void Step() {
    for (std::size_t at = 0; at < bytes; at += kLineBytes) {
      _mm_prefetch(reinterpret_cast<const char*>(p + at), _MM_HINT_T1);
    }
    p += bytes;
  }
};

// scores[m * kStride + n] = q[m] . key `token` + n for kQ queries and kV vectors of keys.
template <typename Kv, std::size_t kStride, std::size_t kQ, std::size_t kV>
void ScoreTile(const float* q, std::size_t dim, const KvPart<Kv>& keys, std::size_t token,
               float* scores, Ahead& ahead) {
  F32 acc[kQ * kV];
#pragma GCC unroll 24
  for (std::size_t i = 0; i < kQ * kV; ++i) {
    acc[i] = Zero();
  }
  const std::size_t block = Kv::kScaled ? kScaleBlock : dim;
  for (std::size_t begin = 0; begin < dim; begin += block) {
    F32 scale[kV];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kV; ++v) {
      scale[v] = Kv::kScaled ? keys.Scales(begin, token + v * kLanes) : Zero();
    }
    for (std::size_t c = begin; c < begin + block; c += Kv::kShare) {
      const std::byte* column = keys.Key(c, token);
      ahead.Step();
#pragma GCC unroll 2
      for (std::size_t i = 0; i < Kv::kShare; ++i) {
        F32 key[kV];
#pragma GCC unroll 8
        for (std::size_t v = 0; v < kV; ++v) {
          key[v] = Kv::Key(column + v * Kv::kShare * Kv::kBytes, i);
          if constexpr (Kv::kScaled) {
            key[v] = key[v] * scale[v];
          }
        }
#pragma GCC unroll 4
        for (std::size_t m = 0; m < kQ; ++m) {
          const F32 query = Set(q[m * dim + c + i]);
#pragma GCC unroll 8
          for (std::size_t v = 0; v < kV; ++v) {
            acc[m * kV + v] = MulAdd(query, key[v], acc[m * kV + v]);
          }
        }
      }
    }
  }
#pragma GCC unroll 4
  for (std::size_t m = 0; m < kQ; ++m) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kV; ++v) {
      Store(scores + m * kStride + v * kLanes, acc[m * kV + v]);
    }
  }
}

/// At least the first `count` keys of a page for kQ neighbouring queries, `dim` floats apart;
/// meanwhile `fetch` bytes from `next` on come nearer, evenly.
template <typename Kv, std::size_t kStride, std::size_t kQ>
void ScoreKeys(const float* q, std::size_t dim, const KvPart<Kv>& keys, std::size_t count,
               float* scores, const std::byte* next, std::size_t fetch) {
  constexpr std::size_t kV = TileVectors<Kv, kQ>(kPageVectors);
  Ahead ahead = {next, fetch * kV * Kv::kShare / (kPageVectors * dim)};
  for (std::size_t token = 0; token < count; token += kV * kLanes) {
    ScoreTile<Kv, kStride, kQ, kV>(q, dim, keys, token, scores + token, ahead);
  }
}

/// A page's values, converted as they are read; `dim` a multiple of kLanes.
template <typename Kv>
struct PageValues {
  KvPart<Kv> part;
  std::size_t dim;
  const float* scales;  // [block of columns][token]

  F32 At(std::size_t token, std::size_t c) const {
    const F32 v = Kv::Value(part.Value(token, c, dim));
    if constexpr (Kv::kScaled) {
      return Set(scales[c / kScaleBlock * kPageTokens + token]) * v;
    }
    return v;
  }
};

// sums[m] = sums[m] * correction[m] + sum_j p[m][j] v[j] for kC vectors of columns from c.
template <typename Kv, std::size_t kStride, std::size_t kQ, std::size_t kC>
void ValueTile(const float* p, const PageValues<Kv>& values, std::size_t count, std::size_t c,
               const float* corrections, float* sums, Ahead& ahead) {
  F32 acc[kQ * kC];
#pragma GCC unroll 24
  for (std::size_t i = 0; i < kQ * kC; ++i) {
    acc[i] = Zero();
  }
  for (std::size_t j = 0; j < count; ++j) {
    ahead.Step();
    F32 value[kC];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kC; ++i) {
      value[i] = values.At(j, c + i * kLanes);
    }
#pragma GCC unroll 4
    for (std::size_t m = 0; m < kQ; ++m) {
      const F32 weight = Set(p[m * kStride + j]);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kC; ++i) {
        acc[m * kC + i] = MulAdd(weight, value[i], acc[m * kC + i]);
      }
    }
  }
#pragma GCC unroll 4
  for (std::size_t m = 0; m < kQ; ++m) {
    const F32 correction = Set(corrections[m]);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kC; ++i) {
      float* sum = sums + m * values.dim + c + i * kLanes;
      Store(sum, MulAdd(Load(sum), correction, acc[m * kC + i]));
    }
  }
}

// Columns from c on, kC vectors at a time, then fewer.
template <typename Kv, std::size_t kStride, std::size_t kQ, std::size_t kC>
void AddColumns(const float* p, const PageValues<Kv>& values, std::size_t count, std::size_t c,
                const float* corrections, float* sums, Ahead& ahead) {
  for (; c + kC * kLanes <= values.dim; c += kC * kLanes) {
    ValueTile<Kv, kStride, kQ, kC>(p, values, count, c, corrections, sums, ahead);
  }
  if constexpr (kC > 1) {
    AddColumns<Kv, kStride, kQ, kC / 2>(p, values, count, c, corrections, sums, ahead);
  }
}

/// The first `count` values of a page, for kQ neighbouring queries; meanwhile as ScoreKeys.
template <typename Kv, std::size_t kStride, std::size_t kQ>
void AddValues(const float* p, const PageValues<Kv>& values, std::size_t count,
               const float* corrections, float* sums, const std::byte* next, std::size_t fetch) {
  constexpr std::size_t kC = TileVectors<Kv, kQ>(8);
  Ahead ahead = {next, fetch * SmallerOf(kC * kLanes, values.dim) / (kPageTokens * values.dim)};
  AddColumns<Kv, kStride, kQ, kC>(p, values, count, 0, corrections, sums, ahead);
}

}  // namespace
}  // namespace tandem::cpu
