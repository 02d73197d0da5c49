#pragma once

#include "kernels/cpu/simd/kv-inl.h"

// The products of attention-inl.h: scores of queries with a page's keys, and weighted sums of its
// values. Include after an instruction set's floats-inl.h.
//
// A score is a sum over the columns of a head in kLanes chains, chain r over the columns r, r +
// kLanes, ..., joined in the order of SumLanes. For few queries the chains lie in the lanes of one
// vector per score (ScoreKeys). For many, a page is turned once so that lanes are keys and each
// chain is a vector of its own (ScoreColumns): no sums across lanes, the same bits.

namespace tandem::cpu {
namespace {

inline constexpr std::size_t kGroup = 4;  // queries that share a loaded key or value
inline constexpr std::size_t kLineFloats = 16;

/// Memory to fetch into the second cache while a page is worked on: `bytes` for each of its keys.
/// The first cache has too few fill buffers to keep memory busy.
struct Ahead {
  const std::byte* row;
  std::size_t row_bytes;
  std::size_t bytes;

  void Fetch(std::size_t i) const {
    for (std::size_t at = 0; at < bytes; at += kLineFloats * sizeof(float)) {
      _mm_prefetch(reinterpret_cast<const char*>(row + i * row_bytes + at), _MM_HINT_T1);
    }
  }
};

// The sums of kCount vectors to out[0..kCount).
template <std::size_t kCount>
void StoreSums(const F32 (&v)[kCount], float* out) {
#pragma GCC unroll 4
  for (std::size_t begin = 0; begin < kCount; begin += kSums) {
    F32 part[kSums];
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kSums; ++i) {
      part[i] = v[begin + i < kCount ? begin + i : begin];
    }
    const F32 sums = SumEach(part);
    if (begin + kSums <= kCount) {
      Store(out + begin, sums);
    } else {
      StoreFirst(out + begin, sums, kCount - begin);
    }
  }
}

// scores[m * kPageTokens + n] = q[m] . k[n] for kQ queries and kK keys.
template <typename Kv, std::size_t kQ, std::size_t kK>
void ScoreTile(const float* q, std::size_t width, const PageRows& k, float* scores) {
  F32 acc[kQ * kK];
#pragma GCC unroll 16
  for (std::size_t i = 0; i < kQ * kK; ++i) {
    acc[i] = Zero();
  }
  PageRows at = k;
  for (std::size_t unit = 0; unit < width / kLanes; unit += Kv::kUnit) {
#pragma GCC unroll 4
    for (std::size_t u = 0; u < Kv::kUnit; ++u) {
      F32 key[kK];
#pragma GCC unroll 8
      for (std::size_t n = 0; n < kK; ++n) {
        key[n] = Kv::LoadAt(at.row + n * at.row_bytes + u * Kv::kVectorBytes, at.scales + n);
      }
#pragma GCC unroll 4
      for (std::size_t m = 0; m < kQ; ++m) {
        const F32 query = Load(q + m * width + (unit + u) * kLanes);
#pragma GCC unroll 8
        for (std::size_t n = 0; n < kK; ++n) {
          acc[m * kK + n] = MulAdd(query, key[n], acc[m * kK + n]);
        }
      }
    }
    at.row += Kv::kUnitBytes;
    at.scales += kPageTokens;
  }
  float sums[kQ * kK];
  StoreSums(acc, sums);
#pragma GCC unroll 4
  for (std::size_t m = 0; m < kQ; ++m) {
    __builtin_memcpy(scores + m * kPageTokens, sums + m * kK, kK * sizeof(float));
  }
}

// The first `count` keys of a page for kQ neighbouring queries.
template <typename Kv, std::size_t kQ>
void ScoreKeys(const float* q, std::size_t width, const PageRows& k, std::size_t count,
               float* scores, const Ahead& ahead) {
  constexpr std::size_t kK = kQ == 1 ? 8 : kSums / kGroup;
  std::size_t n = 0;
  for (; n + kK <= count; n += kK) {
    for (std::size_t i = 0; i < kK; ++i) {
      ahead.Fetch(n + i);
    }
    ScoreTile<Kv, kQ, kK>(q, width, k.At(n), scores + n);
  }
  for (; n < count; ++n) {
    ScoreTile<Kv, kQ, 1>(q, width, k.At(n), scores + n);
  }
}

/// A page of keys turned: row r of `chains` rows holds, for each of its `length` columns,
/// kPageTokens keys. Rows are `stride` floats apart.
struct TurnedKeys {
  float* keys;
  std::size_t length;
  std::size_t stride;
};

// acc[m * kV + v] = chain of kQ queries with kV vectors of keys.
template <std::size_t kQ, std::size_t kV>
[[gnu::always_inline]] inline void ScoreChain(const float* q, std::size_t width, const float* k,
                                              std::size_t length, F32 (&acc)[kQ * kV]) {
#pragma GCC unroll 16
  for (std::size_t i = 0; i < kQ * kV; ++i) {
    acc[i] = Zero();
  }
  for (std::size_t c = 0; c < length; ++c) {
    F32 key[kV];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kV; ++v) {
      key[v] = Load(k + c * kPageTokens + v * kLanes);
    }
#pragma GCC unroll 4
    for (std::size_t m = 0; m < kQ; ++m) {
      const F32 query = Set(q[m * width + c]);
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kV; ++v) {
        acc[m * kV + v] = MulAdd(query, key[v], acc[m * kV + v]);
      }
    }
  }
}

// The sum of chains 4 g .. 4 g + 3 joins the scores; `other` holds that of group 2 until group 3.
template <std::size_t kQ, std::size_t kV>
void ScoreChains(const float* q, std::size_t width, const TurnedKeys& page, std::size_t g,
                 std::size_t key, float* scores, float* other) {
  F32 a[kQ * kV];
  F32 b[kQ * kV];
  F32 acc[kQ * kV];
  const auto chain = [&](std::size_t r, F32(&out)[kQ * kV]) {
    ScoreChain<kQ, kV>(q + r * page.length, width, page.keys + r * page.stride + key, page.length,
                       out);
  };
  chain(4 * g, a);
  chain(4 * g + 2, acc);
#pragma GCC unroll 16
  for (std::size_t i = 0; i < kQ * kV; ++i) {
    a[i] = a[i] + acc[i];
  }
  chain(4 * g + 1, b);
  chain(4 * g + 3, acc);
#pragma GCC unroll 4
  for (std::size_t m = 0; m < kQ; ++m) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kV; ++v) {
      const std::size_t i = m * kV + v;
      const std::size_t at = m * kPageTokens + key + v * kLanes;
      const F32 sum = a[i] + (b[i] + acc[i]);
      if (g == 0) {
        Store(scores + at, sum);
      } else if (g == 1) {
        Store(scores + at, Load(scores + at) + sum);
      } else if (g == 2) {
        Store(other + at, sum);
      } else {
        Store(scores + at, Load(scores + at) + (Load(other + at) + sum));
      }
    }
  }
}

// At least the first `count` keys of a turned page for all queries, whose columns are in the order
// of the chains. Chains in groups of four, whose keys (16 KB at a width of 256) stay in the first
// cache while all queries pass.
inline void ScoreColumns(const float* q, std::size_t queries, std::size_t width,
                         const TurnedKeys& page, std::size_t count, float* scores, float* other) {
  constexpr std::size_t kV = kSums / kGroup;
  for (std::size_t g = 0; g < kLanes / 4; ++g) {
    for (std::size_t i = 0; i < queries; i += kGroup) {
      for (std::size_t key = 0; key < count; key += kV * kLanes) {
        const float* first = q + i * width;
        float* to = scores + i * kPageTokens;
        float* half = other + i * kPageTokens;
        switch (queries - i) {
          case 1:
            ScoreChains<1, kV>(first, width, page, g, key, to, half);
            break;
          case 2:
            ScoreChains<2, kV>(first, width, page, g, key, to, half);
            break;
          case 3:
            ScoreChains<3, kV>(first, width, page, g, key, to, half);
            break;
          default:
            ScoreChains<4, kV>(first, width, page, g, key, to, half);
            break;
        }
      }
    }
  }
}

// sums[m] = sums[m] * correction[m] + sum_j p[m][j] v[j] for kC vectors of columns from c.
template <typename Kv, std::size_t kQ, std::size_t kC>
void ValueTile(const float* p, const PageRows& v, std::size_t count, std::size_t c,
               const float* corrections, float* sums, std::size_t width, const Ahead& ahead) {
  F32 acc[kQ][kC];
#pragma GCC unroll 4
  for (std::size_t m = 0; m < kQ; ++m) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kC; ++i) {
      acc[m][i] = Zero();
    }
  }
  // kC divides a unit or is whole units, and c is a multiple of it.
  const std::byte* row = v.row + VectorOffset<Kv>(c);
  const float* scales = v.scales + ScaleOffset<Kv>(c);
  for (std::size_t j = 0; j < count; ++j, row += v.row_bytes) {
    ahead.Fetch(j);
    F32 value[kC];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kC; ++i) {
      value[i] = Kv::LoadAt(row + VectorOffset<Kv>(i), scales + ScaleOffset<Kv>(i) + j);
    }
#pragma GCC unroll 4
    for (std::size_t m = 0; m < kQ; ++m) {
      const F32 weight = Set(p[m * kPageTokens + j]);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kC; ++i) {
        acc[m][i] = MulAdd(weight, value[i], acc[m][i]);
      }
    }
  }
#pragma GCC unroll 4
  for (std::size_t m = 0; m < kQ; ++m) {
    const F32 correction = Set(corrections[m]);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kC; ++i) {
      float* sum = sums + m * width + (c + i) * kLanes;
      Store(sum, MulAdd(Load(sum), correction, acc[m][i]));
    }
  }
}

// Columns [c_begin, c_end), in vectors, for kQ neighbouring queries. What lies ahead is fetched
// from its first byte to its last, an equal part per tile and key.
template <typename Kv, std::size_t kQ>
void AddValues(const float* p, const PageRows& v, std::size_t count, std::size_t c_begin,
               std::size_t c_end, const float* corrections, float* sums, std::size_t width,
               const Ahead& ahead) {
  constexpr std::size_t kC = kQ == 1 ? 4 : kSums / kGroup;
  Ahead part = ahead;
  part.bytes = ahead.bytes * kC / (c_end - c_begin);
  part.row_bytes = part.bytes;
  std::size_t c = c_begin;
  for (; c + kC <= c_end; c += kC, part.row += part.bytes * kPageTokens) {
    ValueTile<Kv, kQ, kC>(p, v, count, c, corrections, sums, width, part);
  }
  part.bytes = 0;
  for (; c < c_end; ++c) {
    ValueTile<Kv, kQ, 1>(p, v, count, c, corrections, sums, width, part);
  }
}

}  // namespace
}  // namespace tandem::cpu
