#pragma once

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/attention_tiles-inl.h"
#include "kernels/cpu/simd/exp-inl.h"

// Attention over KV pages (AttentionTask). Include after an instruction set's floats-inl.h.
//
// A query (row and head) meets the pages in order. A page's weighted values are added up key by
// key, then joined to the running sum. No other query takes part in that arithmetic: how many run
// side by side decides only which loads they share. Keys that a row must not see never reach its
// result.

namespace tandem::cpu {
namespace {

inline constexpr std::size_t kBlockRows = 16;
inline constexpr std::size_t kBlockHeads = 8;
inline constexpr std::size_t kBlockQueries = kBlockRows * kBlockHeads;
inline constexpr std::size_t kAttentionMaxDim = 512;
/// From this many queries on, a page is converted to float once instead of in each group.
inline constexpr std::size_t kConvertFrom = 9;
/// Scales of a page of q8_0 or q4_0 rows.
inline constexpr std::size_t kPageScales = kPageTokens * kMaxKvBlocks;
/// Vectors of value columns per pass of all queries.
inline constexpr std::size_t kValueTile = 4;

/// Up to kBlockQueries queries of one KV head; query i is head i % heads of row i / heads.
/// Memory in the worker's scratch, rows of `width` floats with zeros after the head's columns.
struct QueryBlock {
  std::size_t queries;
  std::size_t heads;
  std::size_t first_position;
  std::size_t width;
  float scale;
  bool direct;  // pages are read as they are; else converted, and q is in the order of the chains
  float* q;
  float* sums;
  float* scores;  // kPageTokens per query; then the softmax numerators
  float* other;   // room for as many, see ScoreColumns
  float* page;    // one page of keys or values as floats
  float* scales;  // of one q8_0 or q4_0 page
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

inline std::size_t Smaller(std::size_t a, std::size_t b) {
  return a < b ? a : b;
}

/// Calls run(GroupSize<n>(), first query, keys visible) for every group of n neighbouring queries
/// that see equally many keys of the page.
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

// The scores of kQ neighbouring queries, which see equally many keys of a page, become numerators
// of their softmax. Side by side only to fill the pipeline.
template <std::size_t kQ>
void SoftmaxPage(const QueryBlock& block, std::size_t query, std::size_t visible) {
  constexpr std::size_t kVectors = kPageTokens / kLanes;
  float* scores = block.scores + query * kPageTokens;
  float new_max[kQ];
  F32 total[kQ];
#pragma GCC unroll 4
  for (std::size_t m = 0; m < kQ; ++m) {
    float* row = scores + m * kPageTokens;
    for (std::size_t j = visible; j < kPageTokens; ++j) {
      row[j] = -__builtin_inff();
    }
    F32 max = Set(block.maxima[query + m]);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kVectors; ++i) {
      max = Max(Load(row + i * kLanes) * Set(block.scale), max);
    }
    new_max[m] = MaxLanes(max);
    total[m] = Zero();
  }
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kVectors; ++i) {
#pragma GCC unroll 4
    for (std::size_t m = 0; m < kQ; ++m) {
      float* at = scores + m * kPageTokens + i * kLanes;
      const F32 p = Exp(Load(at) * Set(block.scale) - Set(new_max[m]));
      Store(at, p);
      total[m] = total[m] + p;
    }
  }
#pragma GCC unroll 4
  for (std::size_t m = 0; m < kQ; ++m) {
    // Zero on the first page, where the old maximum is -infinity.
    const float correction = FirstLane(Exp(Set(block.maxima[query + m] - new_max[m])));
    block.maxima[query + m] = new_max[m];
    block.corrections[query + m] = correction;
    block.totals[query + m] = block.totals[query + m] * static_cast<double>(correction) +
                              static_cast<double>(SumLanes(total[m]));
  }
}

// Vector c of the first row, with zeros past the head's columns.
template <typename Kv>
F32 LoadPadded(const PageRows& rows, std::size_t c, std::size_t dim) {
  const std::size_t begin = c * kLanes;
  const std::byte* p = rows.row + VectorOffset<Kv>(c);
  if (begin + kLanes <= dim) {
    return Kv::LoadAt(p, rows.scales + ScaleOffset<Kv>(c));
  }
  alignas(64) std::byte last[kLanes * sizeof(float)] = {};
  __builtin_memcpy(last, p, (dim - begin) * Kv::kVectorBytes / kLanes);
  return Kv::LoadAt(last, rows.scales);
}

// Vectors [c_begin, c_end) of `count` rows: a tile that stays in the first cache.
template <typename Kv>
PageRows ConvertValues(const PageRows& from, std::size_t count, std::size_t c_begin,
                       std::size_t c_end, std::size_t dim, float* to) {
  constexpr std::size_t kStride = kValueTile * kLanes;
  for (std::size_t j = 0; j < count; ++j) {
    const PageRows row = from.At(j);
    for (std::size_t c = c_begin; c < c_end; ++c) {
      Store(to + j * kStride + (c - c_begin) * kLanes, LoadPadded<Kv>(row, c, dim));
    }
  }
  return {reinterpret_cast<const std::byte*>(to), kStride * sizeof(float), from.scales};
}

// Zeros for keys from `count` on.
template <typename Kv>
TurnedKeys TurnKeys(const PageRows& from, std::size_t count, const QueryBlock& block,
                    std::size_t dim) {
  const std::size_t length = block.width / kLanes;
  // Chains an odd number of cache lines apart, so that they do not fall into a few sets.
  const TurnedKeys page = {block.page, length, length * kPageTokens + kLineFloats};
  for (std::size_t key = 0; key < kPageTokens; key += kLanes) {
    for (std::size_t c = 0; c < length; ++c) {
      F32 v[kLanes];
#pragma GCC unroll 16
      for (std::size_t i = 0; i < kLanes; ++i) {
        v[i] = key + i < count ? LoadPadded<Kv>(from.At(key + i), c, dim) : Zero();
      }
      Transpose(v);
#pragma GCC unroll 16
      for (std::size_t r = 0; r < kLanes; ++r) {
        Store(page.keys + r * page.stride + c * kPageTokens + key, v[r]);
      }
    }
  }
  return page;
}

template <typename Kv>
PageRows PageOf(const QueryBlock& block, const KvRows& kv, std::size_t begin, std::size_t dim) {
  const PageRows rows = {kv.pages[begin / kPageTokens] + kv.offset, kv.row_bytes, block.scales};
  if constexpr (Kv::kUnit > 1) {
    return FindScales<Kv>(rows, block.Visible(block.queries - 1, begin), dim, block.scales);
  }
  return rows;
}

// A page for few queries: keys and values are converted as they are loaded. While keys are read,
// the page's values are fetched, and meanwhile of those the next page's keys.
template <typename Kv>
void AttendPageDirectly(const QueryBlock& block, const AttentionTask& task, std::size_t begin) {
  const std::size_t width = block.width;
  const PageRows k = PageOf<Kv>(block, task.k, begin, width);
  const std::byte* values = task.v.pages[begin / kPageTokens] + task.v.offset;
  ForGroups(block, begin, [&](auto size, std::size_t i, std::size_t visible) {
    constexpr std::size_t kQ = decltype(size)::kValue;
    const Ahead ahead = {values, task.v.row_bytes, i == 0 ? task.v.row_bytes : 0};
    ScoreKeys<Kv, kQ>(block.q + i * width, width, k, visible, block.scores + i * kPageTokens,
                      ahead);
    SoftmaxPage<kQ>(block, i, visible);
  });
  const bool more = begin + kPageTokens <= block.first_position;
  const PageRows v = PageOf<Kv>(block, task.v, begin, width);
  const std::byte* next = more ? task.k.pages[begin / kPageTokens + 1] + task.k.offset : nullptr;
  ForGroups(block, begin, [&](auto size, std::size_t i, std::size_t visible) {
    constexpr std::size_t kQ = decltype(size)::kValue;
    const Ahead ahead = {next, task.k.row_bytes, more && i == 0 ? task.k.row_bytes : 0};
    AddValues<Kv, kQ>(block.scores + i * kPageTokens, v, visible, 0, width / kLanes,
                      block.corrections + i, block.sums + i * width, width, ahead);
  });
}

// A page for many queries: converted once, then read tile by tile from the first cache.
template <typename Kv>
void AttendPageConverted(const QueryBlock& block, const AttentionTask& task, std::size_t begin) {
  const std::size_t count = block.Visible(block.queries - 1, begin);
  const PageRows k = PageOf<Kv>(block, task.k, begin, task.head_dim);
  ScoreColumns(block.q, block.queries, block.width, TurnKeys<Kv>(k, count, block, task.head_dim),
               count, block.scores, block.other);
  ForGroups(block, begin, [&](auto size, std::size_t i, std::size_t visible) {
    SoftmaxPage<decltype(size)::kValue>(block, i, visible);
  });
  const PageRows v = PageOf<Kv>(block, task.v, begin, task.head_dim);
  const std::size_t vectors = block.width / kLanes;
  for (std::size_t c = 0; c < vectors; c += kValueTile) {
    const std::size_t end = Smaller(vectors, c + kValueTile);
    const PageRows tile = ConvertValues<Kv>(v, count, c, end, task.head_dim, block.page);
    ForGroups(block, begin, [&](auto size, std::size_t i, std::size_t visible) {
      constexpr std::size_t kQ = decltype(size)::kValue;
      AddValues<KvF32, kQ>(block.scores + i * kPageTokens, tile, visible, 0, end - c,
                           block.corrections + i, block.sums + i * block.width + c * kLanes,
                           block.width, {nullptr, 0, 0});
    });
  }
}

// A query's columns, in the order of the chains unless pages are read directly.
inline void CopyQuery(const QueryBlock& block, const float* q, std::size_t dim, float* to) {
  const std::size_t length = block.width / kLanes;
  for (std::size_t c = 0; c < length; ++c) {
    const std::size_t begin = c * kLanes;
    const F32 v = begin + kLanes <= dim ? Load(q + begin) : LoadFirst(q + begin, dim - begin);
    if (block.direct) {
      Store(to + begin, v);
    } else {
      float lanes[kLanes];
      Store(lanes, v);
      for (std::size_t r = 0; r < kLanes; ++r) {
        to[r * length + c] = lanes[r];
      }
    }
  }
}

inline QueryBlock StartBlock(const AttentionTask& task, std::size_t row, std::size_t rows,
                             std::size_t head, std::size_t heads) {
  QueryBlock block;
  block.queries = rows * heads;
  block.heads = heads;
  block.first_position = task.first_position + row;
  block.width = (task.head_dim + kLanes - 1) / kLanes * kLanes;
  block.direct = block.queries < kConvertFrom && block.width == task.head_dim;
  block.scale = task.scale;
  block.totals = static_cast<double*>(task.scratch);
  block.maxima = reinterpret_cast<float*>(block.totals + kBlockQueries);
  block.corrections = block.maxima + kBlockQueries;
  block.scores = block.corrections + kBlockQueries;
  block.other = block.scores + kBlockQueries * kPageTokens;
  block.scales = block.other + kBlockQueries * kPageTokens;
  block.q = block.scales + kPageScales;
  block.sums = block.q + kBlockQueries * block.width;
  block.page = block.sums + kBlockQueries * block.width;
  for (std::size_t i = 0; i < block.queries; ++i) {
    const float* q =
        task.q + (row + i / heads) * task.q_row_stride + (head + i % heads) * task.q_head_stride;
    CopyQuery(block, q, task.head_dim, block.q + i * block.width);
    block.maxima[i] = -__builtin_inff();
    block.totals[i] = 0;
  }
  __builtin_memset(block.sums, 0, block.queries * block.width * sizeof(float));
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
  const std::size_t end = block.first_position + rows;
  for (std::size_t begin = 0; begin < end; begin += kPageTokens) {
    if (block.direct) {
      AttendPageDirectly<Kv>(block, task, begin);
    } else {
      AttendPageConverted<Kv>(block, task, begin);
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
    case kKvQ4:
      Attend<KvQ4>(task);
      break;
    default:
      Attend<KvQ8>(task);
      break;
  }
}

// Per query: its copy, its sum, twice its scores, maximum, correction and total.
static_assert((kBlockQueries * (2 * kAttentionMaxDim + 2 * kPageTokens + 2 + 2) + kPageScales +
               kPageTokens * kAttentionMaxDim + kLanes * kLineFloats) *
                  sizeof(float) <=
              kScratchBytes);

}  // namespace
}  // namespace tandem::cpu
