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

/// The 16 bytes of nibbles: codes i and i + 16 share byte i.
inline void SetNibbles(const Quads& codes, IntVec* q) {
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    q[i] = LowNibbles(codes.v[i]);
    q[4 + i] = HighNibbles(codes.v[i]);
  }
}

/// Bits 4 kQuad to 4 kQuad + 3 of qh to bit 4 of the bytes of quad kQuad.
template <int kQuad>
void AddFifthBit(IntVec qh, IntVec* q) {
  const IntVec nibble = And(ShiftRight32<4 * kQuad>(qh), Splat32(15));
  // Shifted copies put bit j into byte j; none of the others lands on the bits kept.
  const IntVec spread =
      Or(Or(nibble, ShiftLeft32<7>(nibble)), Or(ShiftLeft32<14>(nibble), ShiftLeft32<21>(nibble)));
  q[kQuad] = Or(q[kQuad], ShiftLeft32<4>(And(spread, Splat32(0x01010101))));
}

/// The fifth bits: bit i of qh belongs to code i.
inline void AddFifthBits(IntVec qh, IntVec* q) {
  AddFifthBit<0>(qh, q);
  AddFifthBit<1>(qh, q);
  AddFifthBit<2>(qh, q);
  AddFifthBit<3>(qh, q);
  AddFifthBit<4>(qh, q);
  AddFifthBit<5>(qh, q);
  AddFifthBit<6>(qh, q);
  AddFifthBit<7>(qh, q);
}

struct FormatQ40 : BlockOf32 {
  static constexpr std::size_t kType = 2;
  using Block = quant::BlockQ4_0;
  static constexpr int kMaxCode = 15;
  static constexpr int kBias = 8;

  static void Expand(const Rows& rows, Panel* panel) {
    panel->d = HalfOf(LoadRows(rows, 0).v[0]);
    SetNibbles(StreamRows(rows, 2), panel->q);
  }
};

struct FormatQ41 : BlockOf32 {
  static constexpr std::size_t kType = 3;
  using Block = quant::BlockQ4_1;
  static constexpr int kMaxCode = 15;
  static constexpr bool kMins = true;

  static void Expand(const Rows& rows, Panel* panel) {
    const IntVec head = LoadRows(rows, 0).v[0];
    panel->d = HalfOf(head);
    panel->min_d = HalfOf(ShiftRight32<16>(head));
    SetNibbles(StreamRows(rows, 4), panel->q);
  }
};

struct FormatQ50 : BlockOf32 {
  static constexpr std::size_t kType = 6;
  using Block = quant::BlockQ5_0;
  static constexpr int kMaxCode = 31;
  static constexpr int kBias = 16;

  static void Expand(const Rows& rows, Panel* panel) {
    panel->d = HalfOf(LoadRows(rows, 0).v[0]);
    SetNibbles(StreamRows(rows, 6), panel->q);
    AddFifthBits(LoadRows(rows, 2).v[0], panel->q);
  }
};

struct FormatQ51 : BlockOf32 {
  static constexpr std::size_t kType = 7;
  using Block = quant::BlockQ5_1;
  static constexpr int kMaxCode = 31;
  static constexpr bool kMins = true;

  static void Expand(const Rows& rows, Panel* panel) {
    const Quads head = LoadRows(rows, 0);
    panel->d = HalfOf(head.v[0]);
    panel->min_d = HalfOf(ShiftRight32<16>(head.v[0]));
    SetNibbles(StreamRows(rows, 8), panel->q);
    AddFifthBits(head.v[1], panel->q);
  }
};

struct FormatIQ4NL : BlockOf32 {
  static constexpr std::size_t kType = 20;
  using Block = quant::BlockIQ4_NL;
  static constexpr int kMaxCode = 127;
  static constexpr int kBias = kSignedBias;
  static constexpr bool kSigned = true;

  static void Expand(const Rows& rows, Panel* panel) {
    panel->d = HalfOf(LoadRows(rows, 0).v[0]);
    SetNibbles(StreamRows(rows, 2), panel->q);
    const IntVec table = Iq4Table();
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kQuads; ++i) {
      panel->q[i] = LookUp(table, panel->q[i]);
    }
  }
};

/// acc plus the block's part of one token's kLanes results, from S without any bias. x_sum: of the
/// activations, for minima.
template <typename Format>
FloatVec AddBlock(FloatVec d, FloatVec min_d, float x_d, float x_sum, IntVec s, FloatVec acc) {
  FloatVec block;
  if constexpr (Format::kMins) {
    block = MulAdd(d, ToFloat(s), Mul(min_d, SplatFloat(x_sum)));
  } else {
    block = Mul(d, ToFloat(s));
  }
  return MulAdd(SplatFloat(x_d), block, acc);
}
/// The same from S with the codes' bias in it.
template <typename Format>
FloatVec FinishBlock(FloatVec d, FloatVec min_d, float x_d, std::int32_t x_sum, IntVec s,
                     FloatVec acc) {
  if constexpr (Format::kBias != 0) {
    s = Sub32(s, Splat32(x_sum * Format::kBias));
  }
  return AddBlock<Format>(d, min_d, x_d, static_cast<float>(x_sum), s, acc);
}
template <typename Format>
FloatVec FinishBlock(const Panel32& panel, const BlockQ8x32& x, IntVec s, FloatVec acc) {
  return FinishBlock<Format>(panel.d, panel.min_d, x.d, x.sum, s, acc);
}

}  // namespace
}  // namespace tandem::cpu
