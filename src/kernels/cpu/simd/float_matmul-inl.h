#pragma once

#include "kernels/cpu/kernel_table.h"

// Matrix products with F16 and BF16 weights and float activations. Include after an instruction
// set's floats-inl.h.
//
// A dot product is cut into blocks of kColumns; a block's sum is one chain per lane (order of
// SumLanes), the blocks are added in order. That is independent of how many rows and tokens share
// the loads, so one token and 512 get the same bits.

namespace tandem::cpu {
namespace {

// Four tokens' columns (16 KB) and four weight rows' (8 KB) stay in the first cache.
inline constexpr std::size_t kColumns = 1024;
inline constexpr std::size_t kTileTokens = 4;
inline constexpr std::size_t kTileRows = kSums / kTileTokens;
/// Up to this many tokens a weight row is read from end to end, as memory likes it best.
inline constexpr std::size_t kStreamTokens = kTileTokens;

struct Half {
  static F32 LoadAt(const void* p) { return LoadHalf(p); }
};
struct Bf16 {
  static F32 LoadAt(const void* p) { return LoadBf16(p); }
};

/// One rectangle of a product: rows w, tokens x, columns [begin, begin + columns).
struct Tile {
  const std::byte* w;
  std::size_t w_row_bytes;
  const std::byte* x;
  std::size_t x_row_bytes;
  std::size_t begin;
  std::size_t columns;
  float* y;
  std::size_t y_stride;

  const float* X(std::size_t t) const {
    return reinterpret_cast<const float*>(x + t * x_row_bytes) + begin;
  }
  const std::byte* W(std::size_t r) const {
    return w + r * w_row_bytes + begin * sizeof(std::uint16_t);
  }
};

template <typename Weight>
F32 LoadWeightsFirst(const std::byte* w, std::size_t n) {
  std::uint16_t bits[kLanes] = {};
  __builtin_memcpy(bits, w, n * sizeof(std::uint16_t));
  return Weight::LoadAt(bits);
}

template <typename Weight, std::size_t kRows, std::size_t kTokens>
void MultiplyTile(const Tile& tile) {
  F32 acc[kSums];
#pragma GCC unroll 16
  for (std::size_t i = 0; i < kSums; ++i) {
    acc[i] = Zero();
  }
  const auto step = [&](auto load_w, auto load_x) {
    F32 w[kRows];
#pragma GCC unroll 4
    for (std::size_t r = 0; r < kRows; ++r) {
      w[r] = load_w(tile.W(r));
    }
#pragma GCC unroll 4
    for (std::size_t t = 0; t < kTokens; ++t) {
      const F32 x = load_x(tile.X(t));
#pragma GCC unroll 4
      for (std::size_t r = 0; r < kRows; ++r) {
        acc[t * kRows + r] = MulAdd(w[r], x, acc[t * kRows + r]);
      }
    }
  };
  std::size_t c = 0;
  for (; c + kLanes <= tile.columns; c += kLanes) {
    step([c](const std::byte* w) { return Weight::LoadAt(w + c * sizeof(std::uint16_t)); },
         [c](const float* x) { return Load(x + c); });
  }
  if (c < tile.columns) {
    const std::size_t rest = tile.columns - c;
    step(
        [c, rest](const std::byte* w) {
          return LoadWeightsFirst<Weight>(w + c * sizeof(std::uint16_t), rest);
        },
        [c, rest](const float* x) { return LoadFirst(x + c, rest); });
  }
  float sums[kSums];
  Store(sums, SumEach(acc));
#pragma GCC unroll 4
  for (std::size_t t = 0; t < kTokens; ++t) {
#pragma GCC unroll 4
    for (std::size_t r = 0; r < kRows; ++r) {
      float* y = tile.y + t * tile.y_stride + r;
      *y = tile.begin == 0 ? sums[t * kRows + r] : *y + sums[t * kRows + r];
    }
  }
}

template <typename Weight, std::size_t kRows>
void MultiplyRows(const Tile& tile, std::size_t tokens) {
  switch (tokens) {
    case 1:
      MultiplyTile<Weight, kRows, 1>(tile);
      break;
    case 2:
      MultiplyTile<Weight, kRows, 2>(tile);
      break;
    case 3:
      MultiplyTile<Weight, kRows, 3>(tile);
      break;
    default:
      MultiplyTile<Weight, kRows, 4>(tile);
      break;
  }
}

/// Rows [row, row + kTileRows) or up to the last one, tokens [token, token + kTileTokens) or fewer.
template <typename Weight>
void Multiply(const MatMulArgs& args, std::size_t row, std::size_t token, std::size_t column) {
  Tile tile;
  tile.w = static_cast<const std::byte*>(args.w) + row * args.w_row_bytes;
  tile.w_row_bytes = args.w_row_bytes;
  tile.x = static_cast<const std::byte*>(args.x) + token * args.x_row_bytes;
  tile.x_row_bytes = args.x_row_bytes;
  tile.begin = column;
  tile.columns = args.cols - column < kColumns ? args.cols - column : kColumns;
  tile.y = args.y + token * args.y_stride + row;
  tile.y_stride = args.y_stride;
  const std::size_t tokens = args.tokens - token < kTileTokens ? args.tokens - token : kTileTokens;
  if (row + kTileRows <= args.rows) {
    MultiplyRows<Weight, kTileRows>(tile, tokens);
    return;
  }
  for (; row < args.rows; ++row, ++tile.y, tile.w += args.w_row_bytes) {
    MultiplyRows<Weight, 1>(tile, tokens);
  }
}

/// The sum of a block of columns of one row and one token, as MultiplyTile gives it. ahead: fetched
/// meanwhile, as many bytes as the block has.
template <typename Weight>
float DotBlock(const std::byte* w, const float* x, std::size_t columns, const std::byte* ahead) {
  constexpr std::size_t kLine = 64 / sizeof(std::uint16_t);
  F32 acc = Zero();
  std::size_t c = 0;
  for (; c + kLanes <= columns; c += kLanes) {
    if (c % kLine == 0) {
      __builtin_prefetch(ahead + c * sizeof(std::uint16_t));
    }
    acc = MulAdd(Weight::LoadAt(w + c * sizeof(std::uint16_t)), Load(x + c), acc);
  }
  if (c < columns) {
    acc = MulAdd(LoadWeightsFirst<Weight>(w + c * sizeof(std::uint16_t), columns - c),
                 LoadFirst(x + c, columns - c), acc);
  }
  return SumLanes(acc);
}

/// One token, with the weights in one stream. A block's sum is one chain of additions, but a CPU
/// that sees the next block's has both under way.
template <typename Weight>
void FloatDot(const MatMulArgs& args) {
  constexpr std::size_t kFetch = 8192;  // bytes between a fetch and its use
  const auto* w = static_cast<const std::byte*>(args.w);
  const auto* w_end = static_cast<const std::byte*>(args.w_end);
  const auto* x = static_cast<const float*>(args.x);
  for (std::size_t row = 0; row < args.rows; ++row, w += args.w_row_bytes) {
    float y = 0;
    for (std::size_t column = 0; column < args.cols; column += kColumns) {
      const std::size_t columns = args.cols - column < kColumns ? args.cols - column : kColumns;
      const std::byte* block = w + column * sizeof(std::uint16_t);
      const bool more = block + kFetch + columns * sizeof(std::uint16_t) <= w_end;
      const float sum = DotBlock<Weight>(block, x + column, columns, more ? block + kFetch : block);
      y = column == 0 ? sum : y + sum;
    }
    args.y[row] = y;
  }
}

template <typename Weight>
void FloatMatMul(const MatMulArgs& args) {
  if (kOneStream && args.tokens == 1) {
    FloatDot<Weight>(args);
    return;
  }
  if (args.tokens <= kStreamTokens) {
    for (std::size_t row = 0; row < args.rows; row += kTileRows) {
      for (std::size_t column = 0; column < args.cols; column += kColumns) {
        Multiply<Weight>(args, row, 0, column);
      }
    }
    return;
  }
  for (std::size_t column = 0; column < args.cols; column += kColumns) {
    for (std::size_t token = 0; token < args.tokens; token += kTileTokens) {
      for (std::size_t row = 0; row < args.rows; row += kTileRows) {
        Multiply<Weight>(args, row, token, column);
      }
    }
  }
}

inline constexpr std::size_t kTypeF16 = 1;  // gguf::TensorType
inline constexpr std::size_t kTypeBf16 = 30;

inline void InstallFloatMatMuls(KernelTable* table) {
  table->matmul[kTypeF16].activation = Activation::kF32;
  table->matmul[kTypeF16].run = &FloatMatMul<Half>;
  table->matmul[kTypeBf16].activation = Activation::kF32;
  table->matmul[kTypeBf16].run = &FloatMatMul<Bf16>;
}

}  // namespace
}  // namespace tandem::cpu
