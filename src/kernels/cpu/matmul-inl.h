#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/kernel_table.h"

// The loops around a block of weights, shared by all instruction sets. A Kernel is
//   X                     block type of the activations, kLength of them
//   Block                 block type of the weights
//   Panel                 one block of kLanes rows, expanded
//   Expand(p, stride, panel)
//   Dot(panel, x, tokens, acc)   acc[t][lane] += row of lane times x[t], for one block
//
// Included after a vec-inl.h.

namespace tandem::cpu {
namespace {

constexpr std::size_t kMaxTokens = 512;    // taken together; bounds the sums in scratch
constexpr std::size_t kStreamTokens = 16;  // up to here weights set the pace: read them in order
constexpr std::size_t kBandRows = 64;      // otherwise these rows pass over one range of columns
constexpr std::size_t kCacheLine = 64;

/// Copies one block of each of `rows` rows next to each other, for the last rows of a weight.
inline void Gather(const std::uint8_t* p, std::size_t stride, std::size_t rows, std::size_t bytes,
                   std::uint8_t* out) {
  for (std::size_t r = 0; r < rows; ++r) {
    __builtin_memcpy(out + r * bytes, p + r * stride, bytes);
  }
}

template <typename Kernel>
struct MatMulScratch {
  typename Kernel::Panel panel;
  alignas(64) float acc[kBandRows / kLanes][kMaxTokens][kLanes];
  alignas(64) std::uint8_t rows[kLanes * sizeof(typename Kernel::Block)];
};

/// Fetches `bytes` of the rows that follow the next kLanes ones in memory: weights are read once,
/// in order, and faster than the hardware looks ahead over kLanes rows at a time.
inline void PrefetchRows(const std::uint8_t* p, std::size_t bytes, const void* end) {
  const auto* stop = static_cast<const std::uint8_t*>(end);
  for (std::size_t i = 0; i < bytes && p + i < stop; i += kCacheLine) {
    _mm_prefetch(reinterpret_cast<const char*>(p + i), _MM_HINT_T1);
  }
}

/// Rows [begin, end), at most kBandRows, and tokens [first, first + tokens) of a product.
struct Band {
  std::size_t begin;
  std::size_t end;
  std::size_t first;
  std::size_t tokens;
  bool stream;  // memory sets the pace

  std::size_t groups() const { return (end - begin + kLanes - 1) / kLanes; }
};

/// Expands block b of the g-th kLanes rows of the band. rows: room for their blocks.
template <typename Kernel>
void ExpandGroup(const MatMulArgs& args, const Band& band, std::size_t b, std::size_t g,
                 std::uint8_t* rows, typename Kernel::Panel* panel) {
  constexpr std::size_t kBytes = sizeof(typename Kernel::Block);
  const std::size_t stride = args.w_row_bytes;
  const std::size_t row = band.begin + g * kLanes;
  const std::uint8_t* w = static_cast<const std::uint8_t*>(args.w) + row * stride;
  if (band.stream) {
    PrefetchRows(w + kLanes * (stride + b * kBytes), kLanes * kBytes, args.w_end);
  }
  if (band.end - row < kLanes) {
    Gather(w + b * kBytes, stride, band.end - row, kBytes, rows);
    Kernel::Expand(rows, kBytes, panel);
  } else {
    Kernel::Expand(w + b * kBytes, stride, panel);
  }
}

inline void StoreBand(const MatMulArgs& args, const Band& band,
                      const float (*acc)[kMaxTokens][kLanes]) {
  for (std::size_t t = 0; t < band.tokens; ++t) {
    float* y = args.y + (band.first + t) * args.y_stride + band.begin;
    for (std::size_t r = 0; r < band.end - band.begin; ++r) {
      y[r] = acc[r / kLanes][t][r % kLanes];
    }
  }
}

/// Calls run(band) for all of them. With few tokens kLanes rows at a time, to read memory in order.
template <typename F>
void ForBands(const MatMulArgs& args, F run) {
  const bool stream = args.tokens <= kStreamTokens;
  const std::size_t height = stream ? kLanes : kBandRows;
  for (std::size_t first = 0; first < args.tokens; first += kMaxTokens) {
    const std::size_t left = args.tokens - first;
    const std::size_t tokens = left < kMaxTokens ? left : kMaxTokens;
    for (std::size_t row = 0; row < args.rows; row += height) {
      const std::size_t end = row + height < args.rows ? row + height : args.rows;
      run(Band{row, end, first, tokens, stream});
    }
  }
}

template <typename Kernel>
void RunBand(const MatMulArgs& args, const Band& band, MatMulScratch<Kernel>* scratch) {
  const auto* x = static_cast<const typename Kernel::X*>(args.x) + band.first;
  for (std::size_t g = 0; g < band.groups(); ++g) {
    __builtin_memset(scratch->acc[g], 0, band.tokens * sizeof(scratch->acc[g][0]));
  }
  for (std::size_t b = 0; b < args.cols / Kernel::kLength; ++b, x += args.x_slots) {
    for (std::size_t g = 0; g < band.groups(); ++g) {
      ExpandGroup<Kernel>(args, band, b, g, scratch->rows, &scratch->panel);
      Kernel::Dot(scratch->panel, x, band.tokens, scratch->acc[g][0]);
    }
  }
  StoreBand(args, band, scratch->acc);
}

template <typename Kernel>
void RunMatMul(const MatMulArgs& args) {
  static_assert(sizeof(MatMulScratch<Kernel>) <= kScratchBytes);
  auto* scratch = static_cast<MatMulScratch<Kernel>*>(args.scratch);
  ForBands(args, [&](const Band& band) { RunBand<Kernel>(args, band, scratch); });
}

}  // namespace
}  // namespace tandem::cpu
