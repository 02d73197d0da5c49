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

/// Rows [begin, end), at most kBandRows, for tokens [first, first + tokens).
template <typename Kernel>
void RunBand(const MatMulArgs& args, std::size_t begin, std::size_t end, std::size_t first,
             std::size_t tokens, MatMulScratch<Kernel>* scratch) {
  constexpr std::size_t kBytes = sizeof(typename Kernel::Block);
  const std::size_t groups = (end - begin + kLanes - 1) / kLanes;
  const std::size_t stride = args.w_row_bytes;
  const auto* w = static_cast<const std::uint8_t*>(args.w) + begin * stride;
  const auto* x = static_cast<const typename Kernel::X*>(args.x) + first;
  const bool stream = args.tokens <= kStreamTokens;
  for (std::size_t g = 0; g < groups; ++g) {
    __builtin_memset(scratch->acc[g], 0, tokens * sizeof(scratch->acc[g][0]));
  }
  for (std::size_t b = 0; b < args.cols / Kernel::kLength; ++b, x += args.x_slots) {
    for (std::size_t g = 0; g < groups; ++g) {
      const std::uint8_t* p = w + g * kLanes * stride + b * kBytes;
      if (stream) {
        PrefetchRows(w + kLanes * stride + b * kLanes * kBytes, kLanes * kBytes, args.w_end);
      }
      const std::size_t rows = end - begin - g * kLanes;
      if (rows < kLanes) {
        Gather(p, stride, rows, kBytes, scratch->rows);
        Kernel::Expand(scratch->rows, kBytes, &scratch->panel);
      } else {
        Kernel::Expand(p, stride, &scratch->panel);
      }
      Kernel::Dot(scratch->panel, x, tokens, scratch->acc[g][0]);
    }
  }
  for (std::size_t t = 0; t < tokens; ++t) {
    float* y = args.y + (first + t) * args.y_stride + begin;
    for (std::size_t r = 0; r < end - begin; ++r) {
      y[r] = scratch->acc[r / kLanes][t][r % kLanes];
    }
  }
}

template <typename Kernel>
void RunMatMul(const MatMulArgs& args) {
  static_assert(sizeof(MatMulScratch<Kernel>) <= kScratchBytes);
  auto* scratch = static_cast<MatMulScratch<Kernel>*>(args.scratch);
  for (std::size_t first = 0; first < args.tokens; first += kMaxTokens) {
    const std::size_t left = args.tokens - first;
    const std::size_t tokens = left < kMaxTokens ? left : kMaxTokens;
    const std::size_t height = args.tokens <= kStreamTokens ? kLanes : kBandRows;
    for (std::size_t row = 0; row < args.rows; row += height) {
      const std::size_t end = row + height < args.rows ? row + height : args.rows;
      RunBand<Kernel>(args, row, end, first, tokens, scratch);
    }
  }
}

}  // namespace
}  // namespace tandem::cpu
