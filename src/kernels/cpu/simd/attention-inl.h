#pragma once

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/exp-inl.h"
#include "kernels/cpu/simd/kv-inl.h"

// Causal attention over KV pages (AttentionTask). Include after an instruction set's floats-inl.h.
//
// A query (row and head) meets the pages in order. Its score with a key is a sum over the head's
// columns in lanes (order of SumLanes); a page's weighted values are added up key by key, then
// joined to the running sum. No other query takes part in that arithmetic: how many run side by
// side decides only which loads they share. Keys that a row must not see are never touched.

namespace tandem::cpu {
namespace {

inline constexpr std::size_t kBlockRows = 16;
inline constexpr std::size_t kBlockHeads = 8;
inline constexpr std::size_t kBlockQueries = kBlockRows * kBlockHeads;
inline constexpr std::size_t kAttentionMaxDim = 512;
inline constexpr std::size_t kGroup = 4;  // queries that share a loaded key or value
/// From this many queries on, a page is converted to float once instead of in each group.
inline constexpr std::size_t kConvertFrom = 9;
/// Keys per pass of all queries: 16 KB of float keys at a width of 256 stay in the first cache.
inline constexpr std::size_t kKeyTile = 16;
/// Vectors of value columns per pass of all queries.
inline constexpr std::size_t kValueTile = 4;
inline constexpr std::size_t kLineFloats = 16;

/// Up to kBlockQueries queries of one KV head; query i is head i % heads of row i / heads.
/// Memory in the worker's scratch, rows of `width` floats with zeros after the head's columns.
struct QueryBlock {
  std::size_t queries;
  std::size_t heads;
  std::size_t first_position;
  std::size_t width;
  std::size_t page_stride;  // floats
  float scale;
  float* q;
  float* sums;
  float* scores;  // kPageTokens per query; then the softmax numerators
  float* page;    // one page of keys or values as floats
  float* corrections;
  float* maxima;
  double* totals;

  /// Keys of the page at `begin` that query i sees.
  std::size_t Visible(std::size_t i, std::size_t begin) const {
    const std::size_t end = first_position + i / heads + 1;
    if (end <= begin) {
      return 0;
    }
    return end - begin < kPageTokens ? end - begin : kPageTokens;
  }
};

/// Rows of a page: as they are cached, or converted.
struct PageRows {
  const std::byte* row;
  std::size_t row_bytes;
};

inline std::size_t Smaller(std::size_t a, std::size_t b) {
  return a < b ? a : b;
}

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
void ScoreTile(const float* q, std::size_t width, PageRows k, float* scores) {
  F32 acc[kQ * kK];
#pragma GCC unroll 16
  for (std::size_t i = 0; i < kQ * kK; ++i) {
    acc[i] = Zero();
  }
  for (std::size_t c = 0; c < width / kLanes; c += Kv::kUnit) {
    typename Kv::Scale scale[kK];
#pragma GCC unroll 8
    for (std::size_t n = 0; n < kK; ++n) {
      scale[n] = Kv::ScaleAt(k.row + n * k.row_bytes, c);
    }
#pragma GCC unroll 4
    for (std::size_t u = 0; u < Kv::kUnit; ++u) {
      F32 key[kK];
#pragma GCC unroll 8
      for (std::size_t n = 0; n < kK; ++n) {
        key[n] = Kv::LoadAt(k.row + n * k.row_bytes, c + u, scale[n]);
      }
#pragma GCC unroll 4
      for (std::size_t m = 0; m < kQ; ++m) {
        const F32 query = Load(q + m * width + (c + u) * kLanes);
#pragma GCC unroll 8
        for (std::size_t n = 0; n < kK; ++n) {
          acc[m * kK + n] = MulAdd(query, key[n], acc[m * kK + n]);
        }
      }
    }
  }
  float sums[kQ * kK];
  StoreSums(acc, sums);
#pragma GCC unroll 4
  for (std::size_t m = 0; m < kQ; ++m) {
    __builtin_memcpy(scores + m * kPageTokens, sums + m * kK, kK * sizeof(float));
  }
}

// Keys [begin, end) of a page for kQ neighbouring queries.
template <typename Kv, std::size_t kQ>
void ScoreKeys(const float* q, std::size_t width, PageRows k, std::size_t begin, std::size_t end,
               float* scores) {
  constexpr std::size_t kK = kQ == 1 ? 8 : kSums / kGroup;
  std::size_t n = begin;
  for (; n + kK <= end; n += kK) {
    ScoreTile<Kv, kQ, kK>(q, width, {k.row + n * k.row_bytes, k.row_bytes}, scores + n);
  }
  for (; n < end; ++n) {
    ScoreTile<Kv, kQ, 1>(q, width, {k.row + n * k.row_bytes, k.row_bytes}, scores + n);
  }
}

// sums[m] = sums[m] * correction[m] + sum_j p[m][j] v[j] for kC vectors of columns from c.
template <typename Kv, std::size_t kQ, std::size_t kC>
void ValueTile(const float* p, PageRows v, std::size_t count, std::size_t c,
               const float* corrections, float* sums, std::size_t width) {
  constexpr std::size_t kStep = kC < Kv::kUnit ? kC : Kv::kUnit;
  F32 acc[kQ][kC];
#pragma GCC unroll 4
  for (std::size_t m = 0; m < kQ; ++m) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kC; ++i) {
      acc[m][i] = Zero();
    }
  }
  for (std::size_t j = 0; j < count; ++j) {
    const std::byte* row = v.row + j * v.row_bytes;
    F32 value[kC];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kC; i += kStep) {
      const typename Kv::Scale scale = Kv::ScaleAt(row, c + i);
#pragma GCC unroll 4
      for (std::size_t u = 0; u < kStep; ++u) {
        value[i + u] = Kv::LoadAt(row, c + i + u, scale);
      }
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

// All columns for kQ neighbouring queries.
template <typename Kv, std::size_t kQ>
void AddValues(const QueryBlock& block, std::size_t query, PageRows v, std::size_t count,
               std::size_t c_begin, std::size_t c_end) {
  constexpr std::size_t kC = kQ == 1 ? 4 : kSums / kGroup;
  const float* p = block.scores + query * kPageTokens;
  float* sums = block.sums + query * block.width;
  const float* corrections = block.corrections + query;
  std::size_t c = c_begin;
  for (; c + kC <= c_end; c += kC) {
    ValueTile<Kv, kQ, kC>(p, v, count, c, corrections, sums, block.width);
  }
  for (; c < c_end; ++c) {
    ValueTile<Kv, kQ, 1>(p, v, count, c, corrections, sums, block.width);
  }
}

/// Calls run(std::integral_constant-like tag of 1..kGroup, first query, keys visible) for every
/// group of neighbouring queries that see equally many keys of the page.
template <std::size_t kCount>
struct GroupSize {
  static constexpr std::size_t kValue = kCount;
};
template <typename Run>
void ForGroups(const QueryBlock& block, std::size_t begin, Run run) {
  for (std::size_t i = 0; i < block.queries;) {
    const std::size_t visible = block.Visible(i, begin);
    std::size_t n = 1;
    while (n < kGroup && i + n < block.queries && block.Visible(i + n, begin) == visible) {
      ++n;
    }
    if (visible > 0) {
      switch (n) {
        case 1:
          run(GroupSize<1>(), i, visible);
          break;
        case 2:
          run(GroupSize<2>(), i, visible);
          break;
        case 3:
          run(GroupSize<3>(), i, visible);
          break;
        default:
          run(GroupSize<4>(), i, visible);
          break;
      }
    }
    i += n;
  }
}

// The scores of one query's page become numerators of its softmax.
inline void SoftmaxPage(const QueryBlock& block, std::size_t query, std::size_t visible) {
  constexpr std::size_t kVectors = kPageTokens / kLanes;
  float* scores = block.scores + query * kPageTokens;
  for (std::size_t j = visible; j < kPageTokens; ++j) {
    scores[j] = -__builtin_inff();
  }
  F32 s[kVectors];
  F32 max = Set(block.maxima[query]);
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kVectors; ++i) {
    s[i] = Load(scores + i * kLanes) * Set(block.scale);
    max = Max(s[i], max);
  }
  const float new_max = MaxLanes(max);
  F32 total = Zero();
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kVectors; ++i) {
    s[i] = Exp(s[i] - Set(new_max));
    Store(scores + i * kLanes, s[i]);
    total = total + s[i];
  }
  // Zero on the first page, where the old maximum is -infinity.
  const float correction = FirstLane(Exp(Set(block.maxima[query] - new_max)));
  block.maxima[query] = new_max;
  block.corrections[query] = correction;
  block.totals[query] =
      block.totals[query] * static_cast<double>(correction) + static_cast<double>(SumLanes(total));
}

template <typename Kv>
void ConvertPage(PageRows from, std::size_t rows, std::size_t dim, float* to, std::size_t stride) {
  const std::size_t vectors = dim / kLanes;
  const std::size_t tail = dim % kLanes;
  for (std::size_t j = 0; j < rows; ++j, from.row += from.row_bytes, to += stride) {
    for (std::size_t c = 0; c < vectors; c += Kv::kUnit) {
      const typename Kv::Scale scale = Kv::ScaleAt(from.row, c);
#pragma GCC unroll 4
      for (std::size_t u = 0; u < Kv::kUnit; ++u) {
        Store(to + (c + u) * kLanes, Kv::LoadAt(from.row, c + u, scale));
      }
    }
    if (tail > 0) {
      alignas(64) std::byte last[kLanes * sizeof(float)] = {};
      __builtin_memcpy(last, from.row + vectors * kLanes * Kv::kBytes, tail * Kv::kBytes);
      Store(to + vectors * kLanes, Kv::LoadAt(last, 0, Kv::ScaleAt(last, 0)));
    }
  }
}

inline PageRows PageOf(const KvRows& kv, std::size_t begin) {
  return {kv.pages[begin / kPageTokens] + kv.offset, kv.row_bytes};
}

// A page for few queries: keys and values are converted as they are loaded.
template <typename Kv>
void AttendPageDirectly(const QueryBlock& block, PageRows k, PageRows v, std::size_t begin) {
  ForGroups(block, begin, [&](auto size, std::size_t i, std::size_t visible) {
    constexpr std::size_t kQ = decltype(size)::kValue;
    ScoreKeys<Kv, kQ>(block.q + i * block.width, block.width, k, 0, visible,
                      block.scores + i * kPageTokens);
    for (std::size_t m = 0; m < kQ; ++m) {
      SoftmaxPage(block, i + m, visible);
    }
    AddValues<Kv, kQ>(block, i, v, visible, 0, block.width / kLanes);
  });
}

// A page for many queries: converted once, then read tile by tile from the first cache.
template <typename Kv>
void AttendPageConverted(const QueryBlock& block, PageRows k, PageRows v, std::size_t begin,
                         std::size_t dim) {
  const std::size_t rows = block.Visible(block.queries - 1, begin);
  const PageRows page = {reinterpret_cast<const std::byte*>(block.page),
                         block.page_stride * sizeof(float)};
  ConvertPage<Kv>(k, rows, dim, block.page, block.page_stride);
  for (std::size_t tile = 0; tile < rows; tile += kKeyTile) {
    ForGroups(block, begin, [&](auto size, std::size_t i, std::size_t visible) {
      constexpr std::size_t kQ = decltype(size)::kValue;
      ScoreKeys<KvF32, kQ>(block.q + i * block.width, block.width, page, tile,
                           Smaller(visible, tile + kKeyTile), block.scores + i * kPageTokens);
    });
  }
  for (std::size_t i = 0; i < block.queries; ++i) {
    if (const std::size_t visible = block.Visible(i, begin); visible > 0) {
      SoftmaxPage(block, i, visible);
    }
  }
  ConvertPage<Kv>(v, rows, dim, block.page, block.page_stride);
  const std::size_t vectors = block.width / kLanes;
  for (std::size_t c = 0; c < vectors; c += kValueTile) {
    ForGroups(block, begin, [&](auto size, std::size_t i, std::size_t visible) {
      constexpr std::size_t kQ = decltype(size)::kValue;
      AddValues<KvF32, kQ>(block, i, page, visible, c, Smaller(vectors, c + kValueTile));
    });
  }
}

inline QueryBlock StartBlock(const AttentionTask& task, std::size_t row, std::size_t rows,
                             std::size_t head, std::size_t heads) {
  QueryBlock block;
  block.queries = rows * heads;
  block.heads = heads;
  block.first_position = task.first_position + row;
  block.width = (task.head_dim + kLanes - 1) / kLanes * kLanes;
  // An odd number of cache lines, so that a column of the page does not fall into a few sets.
  block.page_stride = block.width + kLineFloats;
  block.scale = task.scale;
  block.totals = static_cast<double*>(task.scratch);
  block.maxima = reinterpret_cast<float*>(block.totals + kBlockQueries);
  block.corrections = block.maxima + kBlockQueries;
  block.scores = block.corrections + kBlockQueries;
  block.q = block.scores + kBlockQueries * kPageTokens;
  block.sums = block.q + kBlockQueries * block.width;
  block.page = block.sums + kBlockQueries * block.width;
  for (std::size_t i = 0; i < block.queries; ++i) {
    const float* q =
        task.q + (row + i / heads) * task.q_row_stride + (head + i % heads) * task.q_head_stride;
    for (std::size_t c = 0; c < block.width; ++c) {
      block.q[i * block.width + c] = c < task.head_dim ? q[c] : 0.0F;
      block.sums[i * block.width + c] = 0;
    }
    block.maxima[i] = -__builtin_inff();
    block.totals[i] = 0;
  }
  return block;
}

inline void FinishBlock(const QueryBlock& block, const AttentionTask& task, std::size_t row,
                        std::size_t head) {
  for (std::size_t i = 0; i < block.queries; ++i) {
    float* out = task.out + (row + i / block.heads) * task.out_row_stride +
                 (head + i % block.heads) * task.head_dim;
    const F64 factor = SetF64(1.0 / block.totals[i]);
    for (std::size_t c = 0; c < block.width; c += kLanes) {
      const Doubles sum = Widen(Load(block.sums + i * block.width + c));
      const F32 result = Narrow(sum.low * factor, sum.high * factor);
      if (c + kLanes <= task.head_dim) {
        Store(out + c, result);
      } else {
        StoreFirst(out + c, result, task.head_dim - c);
      }
    }
  }
}

template <typename Kv>
void AttendBlock(const AttentionTask& task, std::size_t row, std::size_t rows, std::size_t head,
                 std::size_t heads) {
  const QueryBlock block = StartBlock(task, row, rows, head, heads);
  const bool direct = block.queries < kConvertFrom && block.width == task.head_dim;
  const std::size_t end = block.first_position + rows;
  for (std::size_t begin = 0; begin < end; begin += kPageTokens) {
    const PageRows k = PageOf(task.k, begin);
    const PageRows v = PageOf(task.v, begin);
    if (direct) {
      AttendPageDirectly<Kv>(block, k, v, begin);
    } else {
      AttendPageConverted<Kv>(block, k, v, begin, task.head_dim);
    }
  }
  FinishBlock(block, task, row, head);
}

template <typename Kv>
void Attend(const AttentionTask& task) {
  for (std::size_t head = 0; head < task.heads; head += kBlockHeads) {
    for (std::size_t row = 0; row < task.rows; row += kBlockRows) {
      AttendBlock<Kv>(task, row, Smaller(kBlockRows, task.rows - row), head,
                      Smaller(kBlockHeads, task.heads - head));
    }
  }
}

void Attention(const AttentionTask& task) {
  switch (task.kv_type) {
    case kKvF32:
      Attend<KvF32>(task);
      break;
    case kKvF16:
      Attend<KvF16>(task);
      break;
    case kKvBf16:
      Attend<KvBf16>(task);
      break;
    default:
      Attend<KvQ8>(task);
      break;
  }
}

// Per query: its copy, its sum, its scores, maximum, correction and total.
static_assert(kBlockQueries * (2 * kAttentionMaxDim + kPageTokens + 2 + 2) * sizeof(float) +
                  kPageTokens * (kAttentionMaxDim + kLineFloats) * sizeof(float) <=
              kScratchBytes);

}  // namespace
}  // namespace tandem::cpu
