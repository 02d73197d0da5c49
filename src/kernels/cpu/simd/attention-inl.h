#pragma once

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/attention_panels-inl.h"
#include "kernels/cpu/simd/attention_tiles-inl.h"

// Causal attention over KV pages (AttentionTask). Include after an instruction set's floats-inl.h.
//
// A query (row and head) meets the pages in order. A page's weighted values are added up key by
// key, then joined to the running sum. No other query takes part in that arithmetic: how many run
// side by side decides only which loads they share. Keys that a row must not see never reach its
// result.

namespace tandem::cpu {
namespace {

/// From this many queries on, a page is converted to float once instead of in each group.
inline constexpr std::size_t kConvertFrom = 9;
/// Floats from one query's scores to the next: not a multiple of the cache's ways.
inline constexpr std::size_t kPageScores = kPageTokens + 16;
inline constexpr std::size_t kScoreRows = kPanelTokens > kConvertFrom ? kPanelTokens : kConvertFrom;
/// Queries a few, with one vector for their maxima.
static_assert(kConvertFrom - 1 <= kLanes && kAttentionQueries % kPanelTokens == 0);

/// Up to kAttentionQueries queries of one KV head; query i is head i % heads of row i / heads.
/// Memory in the worker's scratch, rows of `width` floats with zeros after the head's columns.
struct QueryBlock {
  std::size_t queries;
  std::size_t heads;
  std::size_t first_position;
  std::size_t dim;
  std::size_t width;
  float factor;
  bool direct;         // pages are read as they are, else converted
  float* q;            // direct: [query][column]; else panels, [column][query]
  float* sums;         // [query][column]
  float* totals;       // [query][lane]
  float* maxima;       // [panel][lane], lanes are queries
  float* scores;       // [query][key], of one panel and page; then the softmax numerators
  float* corrections;  // [query], of one panel and page
  float* scales;       // [block of columns][token], of one page of values
  float* keys;         // of one page, [column][key] in panels of kPanelRows keys
  float* values;       // of one page, [key][column]

  /// Keys of the page at `begin` that query i sees.
  std::size_t Visible(std::size_t i, std::size_t begin) const {
    const std::size_t end = first_position + i / heads + 1;
    return end <= begin ? 0 : SmallerOf(end - begin, kPageTokens);
  }

  SoftmaxRows Softmax(std::size_t first) const {
    return {factor,      scores,
            kPageScores, maxima + first / kPanelTokens * kLanes,
            corrections, totals + first * kLanes};
  }

  /// Keys that the queries [first, first + count) do not see get scores of -infinity.
  void Mask(std::size_t first, std::size_t count, std::size_t begin) const {
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = Visible(first + i, begin); j < kPageTokens; ++j) {
        scores[i * kPageScores + j] = -__builtin_inff();
      }
    }
  }
};

/// Calls run(GroupSize<n>(), first query, keys visible) for every group of n neighbouring queries
/// of [first, end) that see equally many keys of the page, and any.
template <std::size_t kCount>
struct GroupSize {
  static constexpr std::size_t kValue = kCount;
};
template <typename Run>
void ForGroups(const QueryBlock& block, std::size_t begin, std::size_t first, std::size_t end,
               Run run) {
  for (std::size_t i = first; i < end;) {
    const std::size_t visible = block.Visible(i, begin);
    std::size_t n = 1;
    while (n < kGroup && i + n < end && block.Visible(i + n, begin) == visible) {
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

template <typename Kv>
KvPart<Kv> PartOf(const KvParts& kv, std::size_t begin, std::size_t dim) {
  return KvPart<Kv>(kv.pages[begin / kPageTokens] + kv.offset, dim);
}

// The scales of a page of values as floats.
template <typename Kv>
void ConvertScales(const QueryBlock& block, const KvPart<Kv>& part) {
  if constexpr (Kv::kScaled) {
    for (std::size_t c = 0; c < block.dim; c += kScaleBlock) {
      for (std::size_t token = 0; token < kPageTokens; token += kLanes) {
        Store(block.scales + c / kScaleBlock * kPageTokens + token, part.Scales(c, token));
      }
    }
  }
}

// A page for few queries. While its keys are read, its values are fetched, and meanwhile of those
// the next page's keys.
template <typename Kv>
void AttendPageDirectly(const QueryBlock& block, const AttentionTask& task, std::size_t begin) {
  const std::size_t dim = block.dim;
  const std::size_t part_bytes = KvPart<Kv>::Bytes(dim);
  const std::byte* next = task.v.pages[begin / kPageTokens] + task.v.offset;
  const KvPart<Kv> keys = PartOf<Kv>(task.k, begin, dim);
  ForGroups(block, begin, 0, block.queries, [&](auto size, std::size_t i, std::size_t visible) {
    ScoreKeys<Kv, kPageScores, decltype(size)::kValue>(block.q + i * dim, dim, keys, visible,
                                                       block.scores + i * kPageScores, next,
                                                       i == 0 ? part_bytes : 0);
  });
  block.Mask(0, block.queries, begin);
  block.Softmax(0).Step<kPageVectors>(block.queries);
  const PageValues<Kv> values = {PartOf<Kv>(task.v, begin, dim), dim, block.scales};
  ConvertScales(block, values.part);
  const bool more = begin + kPageTokens <= block.first_position;
  next = more ? task.k.pages[begin / kPageTokens + 1] + task.k.offset : nullptr;
  ForGroups(block, begin, 0, block.queries, [&](auto size, std::size_t i, std::size_t visible) {
    AddValues<Kv, kPageScores, decltype(size)::kValue>(
        block.scores + i * kPageScores, values, visible, block.corrections + i,
        block.sums + i * dim, next, more && i == 0 ? part_bytes : 0);
  });
}

template <typename Kv>
void ConvertKeys(const QueryBlock& block, const KvPart<Kv>& part) {
  const std::size_t columns = Kv::kScaled ? kScaleBlock : block.dim;
  for (std::size_t begin = 0; begin < block.dim; begin += columns) {
    for (std::size_t token = 0; token < kPageTokens; token += kLanes) {
      const F32 scale = Kv::kScaled ? part.Scales(begin, token) : Set(1.0F);
      float* to = block.keys + token / kPanelRows * kPanelRows * block.width + token % kPanelRows;
      for (std::size_t c = begin; c < begin + columns; c += Kv::kShare) {
#pragma GCC unroll 2
        for (std::size_t i = 0; i < Kv::kShare; ++i) {
          const F32 key = Kv::Key(part.Key(c, token), i);
          Store(to + (c + i) * kPanelRows, Kv::kScaled ? key * scale : key);
        }
      }
    }
  }
}

template <typename Kv>
void ConvertValues(const QueryBlock& block, const KvPart<Kv>& part, std::size_t count) {
  ConvertScales(block, part);
  const PageValues<Kv> values = {part, block.dim, block.scales};
  for (std::size_t j = 0; j < count; ++j) {
    float* to = block.values + j * block.width;
    std::size_t c = 0;
    for (; c + kLanes <= block.dim; c += kLanes) {
      Store(to + c, values.At(j, c));
    }
    if (c < block.dim) {  // only without scales, whose blocks are whole vectors
      alignas(64) std::byte last[kLanes * sizeof(float)] = {};
      __builtin_memcpy(last, part.Value(j, c, block.dim), (block.dim - c) * Kv::kBytes / kLanes);
      Store(to + c, Kv::Value(last));
    }
  }
}

// A page for many queries: converted once, then read by one panel of queries after the other.
template <typename Kv>
void AttendPageConverted(const QueryBlock& block, const AttentionTask& task, std::size_t begin) {
  const std::size_t most = block.Visible(block.queries - 1, begin);
  ConvertKeys(block, PartOf<Kv>(task.k, begin, block.dim));
  ConvertValues(block, PartOf<Kv>(task.v, begin, block.dim), most);
  const PageValues<KvF32> page = {
      KvPart<KvF32>(reinterpret_cast<const std::byte*>(block.values), block.width), block.width,
      nullptr};
  for (std::size_t first = 0; first < block.queries; first += kPanelTokens) {
    const std::size_t count = SmallerOf(kPanelTokens, block.queries - first);
    const std::size_t visible = block.Visible(first + count - 1, begin);
    if (visible == 0) {
      continue;
    }
    ScorePanel<kPageScores>(block.q + first * block.width, block.keys, kPanelRows * block.width,
                            block.dim, visible, block.scores);
    block.Mask(first, count, begin);
    block.Softmax(first).Step<kPageVectors>(count);
    if (block.Visible(first, begin) == visible) {
      AddPanel<kPageScores>(block.scores, block.values, block.width, visible, block.corrections,
                            block.sums + first * block.width);
      continue;
    }
    // Rows that end on this page.
    ForGroups(block, begin, first, first + count, [&](auto size, std::size_t i, std::size_t seen) {
      AddValues<KvF32, kPageScores, decltype(size)::kValue>(
          block.scores + (i - first) * kPageScores, page, seen, block.corrections + (i - first),
          block.sums + i * block.width, nullptr, 0);
    });
  }
}

// `heads` neighbouring heads of `rows` rows.
inline QueryBlock StartBlock(const AttentionTask& task, std::size_t row, std::size_t rows,
                             std::size_t head, std::size_t heads) {
  QueryBlock block;
  block.queries = rows * heads;
  block.heads = heads;
  block.first_position = task.first_position + row;
  block.dim = task.head_dim;
  block.width = (task.head_dim + kLanes - 1) / kLanes * kLanes;
  block.factor = task.scale * SoftmaxRows::kLog2E;
  block.direct = block.queries < kConvertFrom && block.width == block.dim;
  block.q = static_cast<float*>(task.scratch);
  block.sums = block.q + kAttentionQueries * block.width;
  block.totals = block.sums + kAttentionQueries * block.width;
  block.maxima = block.totals + kAttentionQueries * kLanes;
  block.scores = block.maxima + kAttentionQueries / kPanelTokens * kLanes;
  block.corrections = block.scores + kScoreRows * kPageScores;
  block.scales = block.corrections + kLanes;
  block.keys = block.scales + kPageTokens * (kAttentionMaxDim / kScaleBlock);
  block.values = block.keys + kPageTokens * block.width;
  const auto query = [&](std::size_t i) {
    return task.q + (row + i / heads) * task.q_row_stride + (head + i % heads) * task.q_head_stride;
  };
  std::size_t rounded = block.queries;
  if (block.direct) {
    for (std::size_t i = 0; i < block.queries; ++i) {
      __builtin_memcpy(block.q + i * block.dim, query(i), block.dim * sizeof(float));
    }
  } else {
    rounded = (block.queries + kPanelTokens - 1) / kPanelTokens * kPanelTokens;
    for (std::size_t first = 0; first < block.queries; first += kPanelTokens) {
      TurnRows([&](std::size_t i) { return query(first + i); },
               SmallerOf(kPanelTokens, block.queries - first), block.dim, kPanelTokens,
               block.q + first * block.width, kPanelTokens);
    }
  }
  // A last panel that is not full computes with zeros in the place of queries.
  __builtin_memset(block.sums, 0, rounded * block.width * sizeof(float));
  __builtin_memset(block.totals, 0, rounded * kLanes * sizeof(float));
  __builtin_memset(block.corrections, 0, kLanes * sizeof(float));
  __builtin_memset(block.scores, 0, kScoreRows * kPageScores * sizeof(float));
  for (float* maximum = block.maxima; maximum != block.scores; ++maximum) {
    *maximum = -__builtin_inff();
  }
  return block;
}

inline void FinishBlock(const QueryBlock& block, const AttentionTask& task, std::size_t row,
                        std::size_t head) {
  for (std::size_t i = 0; i < block.queries; ++i) {
    float* out = task.out + (row + i / block.heads) * task.out_row_stride +
                 (head + i % block.heads) * block.dim;
    const F32 total = Set(SumLanes(Load(block.totals + i * kLanes)));
    for (std::size_t c = 0; c < block.width; c += kLanes) {
      const F32 result = Load(block.sums + i * block.width + c) / total;
      if (c + kLanes <= block.dim) {
        Store(out + c, result);
      } else {
        StoreFirst(out + c, result, block.dim - c);
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
  for (std::size_t head = 0; head < task.heads; head += kAttentionQueries) {
    const std::size_t heads = SmallerOf(kAttentionQueries, task.heads - head);
    const std::size_t together = kAttentionQueries / heads;
    for (std::size_t row = 0; row < task.rows; row += together) {
      AttendBlock<Kv>(task, row, SmallerOf(together, task.rows - row), head, heads);
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

// Per query: its copy, its sum and totals; then scores, scales, keys and values of a page.
static_assert((kAttentionQueries * (2 * kAttentionMaxDim + 2 * kLanes) + kScoreRows * kPageScores +
               kLanes + kPageTokens * (kAttentionMaxDim / kScaleBlock + 2 * kAttentionMaxDim)) *
                  sizeof(float) <=
              kScratchBytes);

}  // namespace
}  // namespace tandem::cpu
