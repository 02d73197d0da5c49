#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/panel-inl.h"

// Panels of the formats with one scale per 32 weights, for activations in BlockQ8x32.
//
// What all instruction sets compute, bit for bit: with the exact integer S = sum_i q_i a_i per
// block, acc = fma(d_x, d_w S, acc) over the blocks in order; with minima, acc = fma(d_x, fma(d_w,
// S, m_w sum_i a_i), acc).

namespace tandem::cpu {
namespace {

struct Panel32 {
  IntVec q[8];
  FloatVec d;
  FloatVec min_d;
};

struct BlockOf32 {
  static constexpr std::size_t kLength = 32;
  static constexpr std::size_t kQuads = 8;
  using Panel = Panel32;
  static constexpr int kBias = 0;
  static constexpr bool kSigned = false;
  static constexpr bool kMins = false;
  // As many columns as a super-block, so that sums stay in registers as long.
  static constexpr std::size_t kPass = 8;
};

struct FormatQ80 : BlockOf32 {
  static constexpr std::size_t kType = 8;
  using Block = quant::BlockQ8_0;
  static constexpr int kMaxCode = 128;
  static constexpr int kBias = kSignedBias;
  static constexpr bool kSigned = true;

  static void Expand(const Rows& rows, Panel* panel) {
    panel->d = HalfOf(LoadRows(rows, 0).v[0]);
    const IntVec flip = Splat8(kSignedBias);
#pragma GCC unroll 2
    for (std::size_t half = 0; half < 2; ++half) {
      const Quads codes = StreamRows(rows, 2 + 16 * half);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < 4; ++i) {
        panel->q[4 * half + i] = Xor(codes.v[i], flip);  // adds 128 modulo 256, or nothing
      }
    }
  }
};

/// acc plus the block's part of one token's kLanes results.
template <typename Format>
FloatVec FinishBlock(const Panel32& panel, const BlockQ8x32& x, IntVec s, FloatVec acc) {
  if constexpr (Format::kBias != 0) {
    s = Sub32(s, Splat32(x.sum * Format::kBias));
  }
  FloatVec block;
  if constexpr (Format::kMins) {
    block = MulAdd(panel.d, ToFloat(s), Mul(panel.min_d, SplatFloat(static_cast<float>(x.sum))));
  } else {
    block = Mul(panel.d, ToFloat(s));
  }
  return MulAdd(SplatFloat(x.d), block, acc);
}

}  // namespace
}  // namespace tandem::cpu
