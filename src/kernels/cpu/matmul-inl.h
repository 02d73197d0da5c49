#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/kernel_table.h"

// The loops around a block of weights, shared by all instruction sets. A Kernel is
//   X                     block type of the activations, kLength of them
//   Block                 block type of the weights, kPass of them worked on together
//   Panel                 one block of kLanes rows, expanded
//   Expand(rows, panel)
//   Dot(panels, count, x, slots, tokens, acc)   acc[t][lane] += row of lane times token t, for
//                         `count` blocks; block i of token t is x[i * slots + t]
//
// Included after a vec-inl.h.

namespace tandem::cpu {
namespace {

constexpr std::size_t kMaxTokens = 512;    // taken together; bounds the sums in scratch
constexpr std::size_t kStreamTokens = 16;  // up to here weights set the pace: read them in order
constexpr std::size_t kBandRows = 64;      // otherwise these rows pass over one range of columns

/// Copies one block of each of `rows` rows next to each other, for the last rows of a weight.
inline void Gather(const std::uint8_t* p, std::size_t stride, std::size_t rows, std::size_t bytes,
                   std::uint8_t* out) {
  for (std::size_t r = 0; r < rows; ++r) {
    __builtin_memcpy(out + r * bytes, p + r * stride, bytes);
  }
}

template <typename Kernel>
struct MatMulScratch {
  typename Kernel::Panel panels[Kernel::kPass];
  alignas(64) float acc[kBandRows / kLanes][kMaxTokens][kLanes];
  alignas(64) std::uint8_t rows[kLanes * sizeof(typename Kernel::Block)];
};

/// Rows [begin, end), at most kBandRows, and tokens [first, first + tokens) of a product.
struct Band {
  std::size_t begin;
  std::size_t end;
  std::size_t first;
  std::size_t tokens;
  bool stream;  // memory sets the pace

  std::size_t groups() const { return (end - begin + kLanes - 1) / kLanes; }
};

/// Expands blocks [b, b + count) of the g-th kLanes rows of the band, `bytes` from one panel to the
/// next. rows: room for one block of each.
template <typename Kernel>
void ExpandGroup(const MatMulArgs& args, const Band& band, std::size_t b, std::size_t count,
                 std::size_t g, std::uint8_t* rows, void* panels, std::size_t bytes) {
  constexpr std::size_t kBytes = sizeof(typename Kernel::Block);
  const std::size_t stride = args.w_row_bytes;
  const std::size_t row = band.begin + g * kLanes;
  const std::uint8_t* next = static_cast<const std::uint8_t*>(args.w) + band.begin * stride;
  const std::uint8_t* w = static_cast<const std::uint8_t*>(args.w) + row * stride;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* p = w + (b + i) * kBytes;
    // With few tokens weights are read once, in order: fetch what follows the band's rows.
    // Otherwise, and at the end, fetching what is at hand costs nothing.
    const std::uint8_t* ahead =
        next + kLanes * (band.groups() * (stride + (b + i) * kBytes) + g * kBytes);
    if (!band.stream || ahead + kLanes * kBytes > args.w_end) {
      ahead = rows;
    }
    auto* panel = reinterpret_cast<typename Kernel::Panel*>(static_cast<char*>(panels) + i * bytes);
    if (band.end - row < kLanes) {
      Gather(p, stride, band.end - row, kBytes, rows);
      Kernel::Expand(RowsAt(rows, kBytes, ahead), panel);
    } else {
      Kernel::Expand(RowsAt(p, stride, ahead), panel);
    }
  }
}

/// The results of tokens [first, first + count) of the band.
inline void StoreTokens(const MatMulArgs& args, const Band& band, std::size_t first,
                        std::size_t count, const float (*acc)[kMaxTokens][kLanes]) {
  for (std::size_t t = first; t < first + count; ++t) {
    float* y = args.y + (band.first + t) * args.y_stride;
    std::size_t row = band.begin;
    for (; row + kLanes <= band.end; row += kLanes, ++acc) {
      StoreFloats(y + row, LoadFloats(acc[0][t]));
    }
    for (std::size_t lane = 0; row < band.end; ++row, ++lane) {
      y[row] = acc[0][t][lane];
    }
    acc -= (band.end - band.begin) / kLanes;
  }
}

inline void StoreBand(const MatMulArgs& args, const Band& band,
                      const float (*acc)[kMaxTokens][kLanes]) {
  StoreTokens(args, band, 0, band.tokens, acc);
}

/// Calls run(band) for all of them. With few tokens stream_rows at a time, to read memory in order.
template <typename F>
void ForBands(const MatMulArgs& args, std::size_t stream_rows, F run) {
  const bool stream = args.tokens <= kStreamTokens;
  const std::size_t height = stream ? stream_rows : kBandRows;
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
  const std::size_t blocks = args.cols / Kernel::kLength;
  for (std::size_t g = 0; g < band.groups(); ++g) {
    __builtin_memset(scratch->acc[g], 0, band.tokens * sizeof(scratch->acc[g][0]));
  }
  for (std::size_t b = 0; b < blocks; b += Kernel::kPass) {
    const std::size_t count = blocks - b < Kernel::kPass ? blocks - b : Kernel::kPass;
    for (std::size_t g = 0; g < band.groups(); ++g) {
      ExpandGroup<Kernel>(args, band, b, count, g, scratch->rows, scratch->panels,
                          sizeof(scratch->panels[0]));
      Kernel::Dot(scratch->panels, count, x + b * args.x_slots, args.x_slots, band.tokens,
                  scratch->acc[g][0]);
    }
  }
  StoreBand(args, band, scratch->acc);
}

template <typename Kernel>
void RunMatMul(const MatMulArgs& args) {
  static_assert(sizeof(MatMulScratch<Kernel>) <= kScratchBytes);
  auto* scratch = static_cast<MatMulScratch<Kernel>*>(args.scratch);
  ForBands(args, kLanes, [&](const Band& band) { RunBand<Kernel>(args, band, scratch); });
}

}  // namespace
}  // namespace tandem::cpu
