#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/kernel_table.h"
#include "quant/blocks.h"

// Weight blocks, transposed: a panel holds one block of kLanes rows, four codes of one row per
// 32-bit lane, so that a dot product multiplies one vector of it with four activations of a token
// in every lane and never adds across lanes. Everything that is one number per row and block is one
// vector.
//
// What all instruction sets compute, bit for bit: with exact integers S = sum_j scale_j sum_i q_i
// a_i and M = sum_j min_j sum_i a_i per block, acc = fma(d_x, fma(d_w, S, -(dmin_w M)), acc) over
// the blocks in order. Formats without minima: acc = fma(d_x, d_w S, acc).
//
// Included after a vec-inl.h, which defines IntVec, FloatVec and the functions on them.

namespace tandem::cpu {
namespace {

template <std::size_t kQuads, std::size_t kSubs>
struct PanelOf {
  IntVec q[kQuads];     // codes 4 i .. 4 i + 3
  IntVec scale[kSubs];  // as ScaleOf() gives them
  IntVec pairs[8];      // words: the minima of two neighbouring sub-blocks, or their scales where
                        // codes carry a bias
  FloatVec d;
  FloatVec min_d;
};

inline IntVec LowNibbles(IntVec v) {
  return And(v, Splat8(15));
}
inline IntVec HighNibbles(IntVec v) {
  return And(ShiftRight32<4>(v), Splat8(15));
}
/// kBits bits of each byte from bit kFrom on, moved to bit kTo.
template <int kBits, int kFrom, int kTo>
IntVec MoveBits(IntVec v) {
  const IntVec mask = Splat8(((1 << kBits) - 1) << kTo);
  if constexpr (kFrom > kTo) {
    return And(ShiftRight32<kFrom - kTo>(v), mask);
  } else {
    return And(ShiftLeft32<kTo - kFrom>(v), mask);
  }
}

template <typename Panel>
void SetScales(IntVec bytes, std::size_t first, Panel* panel) {
  panel->scale[first] = ScaleOf<0>(bytes);
  panel->scale[first + 1] = ScaleOf<1>(bytes);
  panel->scale[first + 2] = ScaleOf<2>(bytes);
  panel->scale[first + 3] = ScaleOf<3>(bytes);
}

inline void SetPairs(IntVec bytes, std::size_t first, IntVec* pairs) {
  pairs[first] = PairOf<0>(bytes);
  pairs[first + 1] = PairOf<2>(bytes);
}

/// Scales first to first + 3 of a format whose codes carry a bias.
template <typename Panel>
void SetScaleBytes(IntVec bytes, std::size_t first, Panel* panel) {
  SetScales(bytes, first, panel);
  SetPairs(bytes, first / 2, panel->pairs);
}

struct Iq4Bytes {
  std::int8_t value[16];
};
constexpr Iq4Bytes CopyIq4Values() {
  Iq4Bytes copy{};
  for (std::size_t i = 0; i < 16; ++i) {
    copy.value[i] = quant::kIq4Values[i];
  }
  return copy;
}
// A copy of this file's own: the address of an inline variable would leave a weak symbol.
constexpr Iq4Bytes kIq4Bytes = CopyIq4Values();

/// The values of the IQ4 codes plus kSignedBias.
inline IntVec Iq4Table() {
  return Add8(SplatTable(kIq4Bytes.value), Splat8(kSignedBias));
}

/// d, dmin and the packed 6-bit scales and minima that open Q4_K and Q5_K blocks. Source:
/// get_scale_min_k4 in ggml-quants.c.
template <typename Panel>
void SetK4Header(const Quads& head, Panel* panel) {
  panel->d = HalfOf(head.v[0]);
  panel->min_d = HalfOf(ShiftRight32<16>(head.v[0]));
  SetScales(MoveBits<6, 0, 0>(head.v[1]), 0, panel);
  SetScales(Or(LowNibbles(head.v[3]), MoveBits<2, 6, 4>(head.v[1])), 4, panel);
  SetPairs(MoveBits<6, 0, 0>(head.v[2]), 0, panel->pairs);
  SetPairs(Or(HighNibbles(head.v[3]), MoveBits<2, 6, 4>(head.v[2])), 2, panel->pairs);
}

/// What the formats below say of themselves: kType is the id in a GGUF file; kMaxCode bounds the
/// codes (before any sign); kBias is in every code and not in the weight; kSigned codes are int8
/// where kSignedBias is 0; kMins: the header has minima.
struct SuperBlock {
  static constexpr std::size_t kLength = 256;
  static constexpr std::size_t kQuads = 64;
  static constexpr std::size_t kSubs = 8;
  static constexpr int kBias = 0;
  static constexpr bool kSigned = false;
  static constexpr bool kMins = false;
  static constexpr std::size_t kPass = 1;  // blocks of a row that are worked on together
};

struct FormatQ4K : SuperBlock {
  static constexpr std::size_t kType = 12;
  using Block = quant::BlockQ4_K;
  using Panel = PanelOf<kQuads, kSubs>;
  static constexpr int kMaxCode = 15;
  static constexpr bool kMins = true;

  static void Expand(const Rows& rows, Panel* panel) {
    SetK4Header(StreamRows(rows, 0), panel);
    for (std::size_t part = 0; part < 8; ++part) {  // 16 bytes each
      const Quads codes = StreamRows(rows, 16 + 16 * part);
      IntVec* q = panel->q + 16 * (part / 2) + 4 * (part % 2);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < 4; ++i) {
        q[i] = LowNibbles(codes.v[i]);
        q[8 + i] = HighNibbles(codes.v[i]);
      }
    }
  }
};

struct FormatQ5K : SuperBlock {
  static constexpr std::size_t kType = 13;
  using Block = quant::BlockQ5_K;
  using Panel = PanelOf<kQuads, kSubs>;
  static constexpr int kMaxCode = 31;
  static constexpr bool kMins = true;

  static void Expand(const Rows& rows, Panel* panel) {
    SetK4Header(StreamRows(rows, 0), panel);
    for (std::size_t half = 0; half < 2; ++half) {  // of each sub-block
      const Quads fifth = StreamRows(rows, 16 + 16 * half);
      ExpandPair<0>(StreamRows(rows, 48 + 16 * half), fifth, panel->q + 4 * half);
      ExpandPair<1>(StreamRows(rows, 80 + 16 * half), fifth, panel->q + 16 + 4 * half);
      ExpandPair<2>(StreamRows(rows, 112 + 16 * half), fifth, panel->q + 32 + 4 * half);
      ExpandPair<3>(StreamRows(rows, 144 + 16 * half), fifth, panel->q + 48 + 4 * half);
    }
  }

 private:
  template <int kPair>
  static void ExpandPair(const Quads& codes, const Quads& fifth, IntVec* q) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      q[i] = Or(LowNibbles(codes.v[i]), MoveBits<1, 2 * kPair, 4>(fifth.v[i]));
      q[8 + i] = Or(HighNibbles(codes.v[i]), MoveBits<1, 2 * kPair + 1, 4>(fifth.v[i]));
    }
  }
};

struct FormatQ6K : SuperBlock {
  static constexpr std::size_t kType = 14;
  using Block = quant::BlockQ6_K;
  static constexpr std::size_t kSubs = 16;
  using Panel = PanelOf<kQuads, kSubs>;
  static constexpr int kMaxCode = 63;
  static constexpr int kBias = 32;

  static void Expand(const Rows& rows, Panel* panel) {
    const Quads scales = StreamRows(rows, 192);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      SetScaleBytes(scales.v[i], 4 * i, panel);
    }
    // Bytes 194 to 209 end with d; a load from 208 would pass the end of the block.
    panel->d = HalfOf(ShiftRight32<16>(LoadRows(rows, 194).v[3]));
    for (std::size_t part = 0; part < 4; ++part) {
      const std::size_t half = part / 2;
      const std::size_t side = part % 2;  // which 16 of 32
      const Quads low = StreamRows(rows, 64 * half + 16 * side);
      const Quads next = StreamRows(rows, 64 * half + 32 + 16 * side);
      const Quads high = StreamRows(rows, 128 + 32 * half + 16 * side);
      IntVec* q = panel->q + 32 * half + 4 * side;
#pragma GCC unroll 4
      for (std::size_t i = 0; i < 4; ++i) {
        q[i] = Or(LowNibbles(low.v[i]), MoveBits<2, 0, 4>(high.v[i]));
        q[8 + i] = Or(LowNibbles(next.v[i]), MoveBits<2, 2, 4>(high.v[i]));
        q[16 + i] = Or(HighNibbles(low.v[i]), MoveBits<2, 4, 4>(high.v[i]));
        q[24 + i] = Or(HighNibbles(next.v[i]), MoveBits<2, 6, 4>(high.v[i]));
      }
    }
  }
};

struct FormatIQ4XS : SuperBlock {
  static constexpr std::size_t kType = 23;
  using Block = quant::BlockIQ4_XS;
  using Panel = PanelOf<kQuads, kSubs>;
  static constexpr int kMaxCode = 127;
  static constexpr int kBias = kSignedBias;
  static constexpr bool kSigned = true;

  static void Expand(const Rows& rows, Panel* panel) {
    const Quads head = LoadRows(rows, 0);  // d | scales_h | scales_l, then codes
    panel->d = HalfOf(head.v[0]);
    SetScaleBytes(ScaleBytes<0>(head), 0, panel);
    SetScaleBytes(ScaleBytes<4>(head), 4, panel);
    const IntVec table = Iq4Table();
    for (std::size_t sub = 0; sub < kSubs; ++sub) {
      const Quads codes = StreamRows(rows, 8 + 16 * sub);
      IntVec* q = panel->q + 8 * sub;
#pragma GCC unroll 4
      for (std::size_t i = 0; i < 4; ++i) {
        q[i] = LookUp(table, LowNibbles(codes.v[i]));
        q[4 + i] = LookUp(table, HighNibbles(codes.v[i]));
      }
    }
  }

 private:
  /// Scales kFirst to kFirst + 3, less 32, one byte each.
  template <int kFirst>
  static IntVec ScaleBytes(const Quads& head) {
    const IntVec low = kFirst == 0 ? head.v[1] : ShiftRight32<16>(head.v[1]);
    const IntVec high = ShiftRight32<16 + 2 * kFirst>(head.v[0]);
    const IntVec bytes = Or(Or(ScaleByte<0>(low, high), ScaleByte<1>(low, high)),
                            Or(ScaleByte<2>(low, high), ScaleByte<3>(low, high)));
    return Add8(bytes, Splat8(-32));
  }
  template <int kScale>
  static IntVec ScaleByte(IntVec low, IntVec high) {
    const IntVec nibble = And(ShiftRight32<4 * kScale>(low), Splat32(15));
    const IntVec top = And(ShiftRight32<2 * kScale>(high), Splat32(3));
    return ShiftLeft32<8 * kScale>(Or(nibble, ShiftLeft32<4>(top)));
  }
};

struct FormatQ3K : SuperBlock {
  static constexpr std::size_t kType = 11;
  using Block = quant::BlockQ3_K;
  static constexpr std::size_t kSubs = 16;
  using Panel = PanelOf<kQuads, kSubs>;
  static constexpr int kMaxCode = 7;
  static constexpr int kBias = 4;

  static void Expand(const Rows& rows, Panel* panel) {
    SetHeader(LoadRows(rows, 94), panel);           // the last 16 bytes
    for (std::size_t side = 0; side < 2; ++side) {  // which 16 of 32
      const Quads third = StreamRows(rows, 16 * side);
      ExpandHalf<0>(StreamRows(rows, 32 + 16 * side), third, panel->q + 4 * side);
      ExpandHalf<1>(StreamRows(rows, 64 + 16 * side), third, panel->q + 32 + 4 * side);
    }
  }

 private:
  /// tail: two bytes of codes, twelve of scales, d. Scale s: low nibble in byte s & 7, upper bits
  /// in byte 8 + (s & 3). Source: dequantize_row_q3_K in ggml-quants.c.
  static void SetHeader(const Quads& tail, Panel* panel) {
    const IntVec a = Or(ShiftRight32<16>(tail.v[0]), ShiftLeft32<16>(tail.v[1]));
    const IntVec b = Or(ShiftRight32<16>(tail.v[1]), ShiftLeft32<16>(tail.v[2]));
    const IntVec c = Or(ShiftRight32<16>(tail.v[2]), ShiftLeft32<16>(tail.v[3]));
    const IntVec less = Splat8(-32);
    SetScaleBytes(Add8(Or(LowNibbles(a), MoveBits<2, 0, 4>(c)), less), 0, panel);
    SetScaleBytes(Add8(Or(LowNibbles(b), MoveBits<2, 2, 4>(c)), less), 4, panel);
    SetScaleBytes(Add8(Or(HighNibbles(a), MoveBits<2, 4, 4>(c)), less), 8, panel);
    SetScaleBytes(Add8(Or(HighNibbles(b), MoveBits<2, 6, 4>(c)), less), 12, panel);
    panel->d = HalfOf(ShiftRight32<16>(tail.v[3]));
  }
  template <int kHalf>
  static void ExpandHalf(const Quads& low, const Quads& third, IntVec* q) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      q[i] = Or(MoveBits<2, 0, 0>(low.v[i]), MoveBits<1, 4 * kHalf, 2>(third.v[i]));
      q[8 + i] = Or(MoveBits<2, 2, 0>(low.v[i]), MoveBits<1, 4 * kHalf + 1, 2>(third.v[i]));
      q[16 + i] = Or(MoveBits<2, 4, 0>(low.v[i]), MoveBits<1, 4 * kHalf + 2, 2>(third.v[i]));
      q[24 + i] = Or(MoveBits<2, 6, 0>(low.v[i]), MoveBits<1, 4 * kHalf + 3, 2>(third.v[i]));
    }
  }
};

struct FormatQ2K : SuperBlock {
  static constexpr std::size_t kType = 10;
  using Block = quant::BlockQ2_K;
  static constexpr std::size_t kSubs = 16;
  using Panel = PanelOf<kQuads, kSubs>;
  static constexpr int kMaxCode = 3;
  static constexpr bool kMins = true;

  static void Expand(const Rows& rows, Panel* panel) {
    const Quads scales = StreamRows(rows, 0);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      SetScales(LowNibbles(scales.v[i]), 4 * i, panel);
      SetPairs(HighNibbles(scales.v[i]), 2 * i, panel->pairs);
    }
    const IntVec d = LoadRows(rows, 68).v[3];  // the last 16 bytes end with d and dmin
    panel->d = HalfOf(d);
    panel->min_d = HalfOf(ShiftRight32<16>(d));
    for (std::size_t part = 0; part < 4; ++part) {
      const Quads codes = StreamRows(rows, 16 + 16 * part);
      IntVec* q = panel->q + 32 * (part / 2) + 4 * (part % 2);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < 4; ++i) {
        q[i] = MoveBits<2, 0, 0>(codes.v[i]);
        q[8 + i] = MoveBits<2, 2, 0>(codes.v[i]);
        q[16 + i] = MoveBits<2, 4, 0>(codes.v[i]);
        q[24 + i] = MoveBits<2, 6, 0>(codes.v[i]);
      }
    }
  }
};

/// What a panel holds beside codes and scales, to keep in registers for several tokens.
template <typename Format>
struct Header {
  /// One word pair per two sub-blocks.
  static constexpr std::size_t kPairs = Format::kSubs / 2;

  Header() = default;
  explicit Header(const typename Format::Panel& panel) : d(panel.d), min_d(panel.min_d) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kPairs; ++i) {
      pairs[i] = panel.pairs[i];
    }
  }

  /// pairs . sums of the activations: what minima and biases multiply.
  IntVec DotSums(const BlockQ8K& x) const {
    const std::int16_t* sums = Format::kSubs == 16 ? x.sums : x.pair_sums;
    IntVec sum = Splat32(0);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kPairs; ++i) {
      sum = DotPairs(sum, pairs[i], SplatQuad(sums + 2 * i));
    }
    return sum;
  }

  IntVec pairs[kPairs];
  FloatVec d;
  FloatVec min_d;
};

constexpr int Log2(int v) {
  int bits = 0;
  while (v > 1) {
    v /= 2;
    ++bits;
  }
  return bits;
}

/// Takes the codes' bias out of S.
template <typename Format>
IntVec RemoveBias(const Header<Format>& header, const BlockQ8K& x, IntVec s) {
  if constexpr (Format::kBias == 0) {
    return s;
  } else {
    return Sub32(s, ShiftLeft32<Log2(Format::kBias)>(header.DotSums(x)));
  }
}

/// Adds the block's part to one token's kLanes results, from S without any bias and M.
template <typename Format>
void FinishSums(FloatVec d, FloatVec min_d, float x_d, IntVec s, IntVec m, float* acc) {
  FloatVec block;
  if constexpr (Format::kMins) {
    block = MulSub(d, ToFloat(s), Mul(min_d, ToFloat(m)));
  } else {
    block = Mul(d, ToFloat(s));
  }
  StoreFloats(acc, MulAdd(SplatFloat(x_d), block, LoadFloats(acc)));
}
template <typename Format>
void FinishSuper(const Header<Format>& header, const BlockQ8K& x, IntVec s, float* acc) {
  const IntVec m = Format::kMins ? header.DotSums(x) : Splat32(0);
  FinishSums<Format>(header.d, header.min_d, x.d, s, m, acc);
}

}  // namespace
}  // namespace tandem::cpu
