#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/panel-inl.h"

// What a block of the codebook formats (IQ1, IQ2, IQ3) and of the ternary ones (TQ1_0, TQ2_0) says
// beside its codes, for kLanes rows. d holds the power of two that makes all scales whole: d / 8 *
// (2 s + 1) instead of d * (0.5 + s) / 4. Decoders of each instruction set add ReadCodes.
// ReadHeader gives d and the pairs that a constant in the codes is removed with, ReadScalePairs
// word pairs of the scales.
//
// What all instruction sets compute is what panel-inl.h says.

namespace tandem::cpu {
namespace {

/// Word pairs of the scales 2 s + 1 from the top four bits of two dwords.
inline IntVec TopPair(IntVec a, IntVec b) {
  const IntVec low = And(ShiftRight32<27>(a), Splat32(0x0000001E));
  const IntVec high = And(ShiftRight32<11>(b), Splat32(0x001E0000));
  return Or(Or(low, high), Splat32(0x00010001));
}
/// From the two nibbles of a byte.
template <int kByte>
IntVec NibblePair(IntVec v) {
  const IntVec x = ShiftRight32<8 * kByte>(v);
  const IntVec low = And(ShiftLeft32<1>(x), Splat32(0x0000001E));
  const IntVec high = And(ShiftLeft32<13>(x), Splat32(0x001E0000));
  return Or(Or(low, high), Splat32(0x00010001));
}
inline void SetNibblePairs(IntVec v, IntVec* pairs) {
  pairs[0] = NibblePair<0>(v);
  pairs[1] = NibblePair<1>(v);
  pairs[2] = NibblePair<2>(v);
  pairs[3] = NibblePair<3>(v);
}
/// From two neighbouring fields of three bits, the first at bit kFrom.
template <int kFrom>
IntVec TriplePair(IntVec v) {
  const IntVec x = ShiftRight32<kFrom>(v);
  const IntVec low = And(ShiftLeft32<1>(x), Splat32(0x0000000E));
  const IntVec high = And(ShiftLeft32<14>(x), Splat32(0x000E0000));
  return Or(Or(low, high), Splat32(0x00010001));
}
inline FloatVec ScaledHalf(const Rows& rows, float unit) {
  return Mul(HalfOf(LoadRows(rows, 0).v[0]), SplatFloat(unit));
}

/// A head is
///   ReadScalePairs(rows, header)     d, and word pairs of the scales
///   ScalesToBias(rows, header)   turns the pairs into those that RemoveBias takes; mostly the same
struct CodebookBlock : SuperBlock {
  /// No scales but d.
  static constexpr bool kUnitScales = false;

  template <typename Head>
  static void ScalesToBias(const Rows& /*rows*/, Head* /*header*/) {}
};

/// Where codes must not be negative, a bias that also keeps pair products within words.
template <int kMagnitude>
struct SignedBlock : CodebookBlock {
  static constexpr int kBias = kSignedBias == 0 ? 0 : (kMagnitude < 16 ? 16 : 64);
  static constexpr int kMaxCode = kMagnitude;
  static constexpr bool kSigned = true;
};

struct HeadIQ2XXS : SignedBlock<62> {
  static constexpr std::size_t kType = 16;
  static constexpr std::size_t kSubs = 8;
  using Block = quant::BlockIQ2_XXS;

  template <typename Head>
  static void ReadScalePairs(const Rows& rows, Head* header) {
    header->d = ScaledHalf(rows, 0.125F);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      const Quads part = LoadRows(rows, 2 + 16 * i);
      header->pairs[i] = TopPair(part.v[1], part.v[3]);
    }
  }
};

struct HeadIQ2XS : SignedBlock<62> {
  static constexpr std::size_t kType = 17;
  static constexpr std::size_t kSubs = 16;
  using Block = quant::BlockIQ2_XS;

  template <typename Head>
  static void ReadScalePairs(const Rows& rows, Head* header) {
    const Quads tail = LoadRows(rows, 58);
    header->d = ScaledHalf(rows, 0.125F);
    SetNibblePairs(tail.v[2], header->pairs);
    SetNibblePairs(tail.v[3], header->pairs + 4);
  }
};

struct HeadIQ2S : SignedBlock<62> {
  static constexpr std::size_t kType = 22;
  static constexpr std::size_t kSubs = 16;
  using Block = quant::BlockIQ2_S;

  template <typename Head>
  static void ReadScalePairs(const Rows& rows, Head* header) {
    const Quads tail = LoadRows(rows, 66);
    header->d = ScaledHalf(rows, 0.125F);
    SetNibblePairs(tail.v[2], header->pairs);
    SetNibblePairs(tail.v[3], header->pairs + 4);
  }
};

struct HeadIQ3XXS : SignedBlock<62> {
  static constexpr std::size_t kType = 18;
  using Block = quant::BlockIQ3_XXS;

  template <typename Head>
  static void ReadScalePairs(const Rows& rows, Head* header) {
    const Quads a = LoadRows(rows, 66);
    const Quads b = LoadRows(rows, 82);
    header->d = ScaledHalf(rows, 0.25F);
    header->pairs[0] = TopPair(a.v[0], a.v[1]);
    header->pairs[1] = TopPair(a.v[2], a.v[3]);
    header->pairs[2] = TopPair(b.v[0], b.v[1]);
    header->pairs[3] = TopPair(b.v[2], b.v[3]);
  }
};

struct HeadIQ3S : SignedBlock<15> {
  static constexpr std::size_t kType = 21;
  using Block = quant::BlockIQ3_S;

  template <typename Head>
  static void ReadScalePairs(const Rows& rows, Head* header) {
    header->d = ScaledHalf(rows, 1);
    SetNibblePairs(LoadRows(rows, 94).v[3], header->pairs);
  }
};

/// IQ1's weights are d * scale * (8 level - 8 + shift), shift 1 or -1. The codes are 8 level: one
/// shift for a whole sub-block joins the bias.
struct HeadIQ1S : CodebookBlock {
  static constexpr std::size_t kType = 19;
  static constexpr int kBias = 1;
  static constexpr int kMaxCode = 16;
  using Block = quant::BlockIQ1_S;

  template <typename Head>
  static void ReadScalePairs(const Rows& rows, Head* header) {
    const Quads qh = LoadRows(rows, 34);
    header->d = ScaledHalf(rows, 0.125F);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      header->pairs[i] =
          Or(And(ShiftRight32<11>(qh.v[i]), Splat32(0x000E000E)), Splat32(0x00010001));
    }
  }
  template <typename Head>
  static void ScalesToBias(const Rows& rows, Head* header) {
    const Quads qh = LoadRows(rows, 34);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      const IntVec scale = header->pairs[i];
      const IntVec down = And(ShiftRight32<15>(qh.v[i]), Splat32(0x00010001));
      const IntVec mask = Sub32(ShiftLeft32<4>(down), down);  // 15 in words that are shifted down
      header->pairs[i] =                                      // times 7, or 9
          Add32(Sub32(ShiftLeft32<3>(scale), scale), ShiftLeft32<1>(And(scale, mask)));
    }
  }
};

/// As IQ1_S, but a sub-block has two shifts: the codes are 8 level, plus 2 where it is 1, less 9.
struct HeadIQ1M : CodebookBlock {
  static constexpr std::size_t kType = 29;
  static constexpr std::size_t kSubs = 16;
  static constexpr int kBias = 1;
  static constexpr int kMaxCode = 18;
  using Block = quant::BlockIQ1_M;

  template <typename Head>
  static void ReadScalePairs(const Rows& rows, Head* header) {
    const Quads tail = LoadRows(rows, 40);
    const IntVec a = tail.v[2];  // words of four scales of three bits and four bits of d
    const IntVec b = tail.v[3];
    const IntVec low =
        Or(And(ShiftRight32<12>(a), Splat32(0x000F)), And(ShiftRight32<24>(a), Splat32(0x00F0)));
    const IntVec high =
        Or(And(ShiftRight32<4>(b), Splat32(0x0F00)), And(ShiftRight32<16>(b), Splat32(0xF000)));
    header->d = Mul(HalfOf(Or(low, high)), SplatFloat(0.125F));
    header->pairs[0] = TriplePair<0>(a);
    header->pairs[1] = TriplePair<6>(a);
    header->pairs[2] = TriplePair<16>(a);
    header->pairs[3] = TriplePair<22>(a);
    header->pairs[4] = TriplePair<0>(b);
    header->pairs[5] = TriplePair<6>(b);
    header->pairs[6] = TriplePair<16>(b);
    header->pairs[7] = TriplePair<22>(b);
  }
  template <typename Head>
  static void ScalesToBias(const Rows& /*rows*/, Head* header) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kSubs / 2; ++i) {
      header->pairs[i] = Add32(ShiftLeft32<3>(header->pairs[i]), header->pairs[i]);
    }
  }
};

/// No scales but d, the last two bytes.
template <std::size_t kId, typename BlockType>
struct TernaryHead : CodebookBlock {
  static constexpr std::size_t kType = kId;
  static constexpr bool kUnitScales = true;
  static constexpr int kBias = 1;
  static constexpr int kMaxCode = 3;
  using Block = BlockType;

  template <typename Head>
  static void ReadScalePairs(const Rows& rows, Head* header) {
    header->d = HalfOf(ShiftRight32<16>(LoadRows(rows, sizeof(Block) - 16).v[3]));
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      header->pairs[i] = Splat32(0x00010001);
    }
  }
};
using HeadTQ1 = TernaryHead<34, quant::BlockTQ1_0>;
using HeadTQ2 = TernaryHead<35, quant::BlockTQ2_0>;

/// A format from a decoder of rows, which has beside its head
///   ReadCodes(p, codes)             the 256 codes of the block at p, as vectors in order
///   FirstScale(pair), SecondScale   a panel's scale from a word of a pair
template <typename Decoder>
struct ByRows : Decoder {
  using Base = ByRows;
  using Panel = PanelOf<Decoder::kQuads, Decoder::kSubs>;

  static void ReadHeader(const Rows& rows, Header<ByRows>* header) {
    Decoder::ReadScalePairs(rows, header);
    Decoder::ScalesToBias(rows, header);
  }

  static void Expand(const Rows& rows, Panel* panel) {
    constexpr std::size_t kVecs = Decoder::kLength / sizeof(IntVec);
    alignas(64) IntVec codes[kLanes][kVecs];
    for (std::size_t r = 0; r < kLanes; ++r) {
      Decoder::ReadCodes(rows.base[r / 4] + (r % 4) * rows.stride, codes[r]);
    }
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(codes);
    const Rows at = RowsAt(bytes, Decoder::kLength, bytes);
    for (std::size_t part = 0; part < Decoder::kLength / 16; ++part) {
      const Quads q = LoadRows(at, 16 * part);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < 4; ++i) {
        panel->q[4 * part + i] = q.v[i];
      }
    }
    Header<ByRows> header;
    Decoder::ReadScalePairs(rows, &header);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < Decoder::kSubs / 2; ++i) {
      panel->scale[2 * i] = Decoder::FirstScale(header.pairs[i]);
      panel->scale[2 * i + 1] = Decoder::SecondScale(header.pairs[i]);
    }
    Decoder::ScalesToBias(rows, &header);
    panel->d = header.d;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < Decoder::kSubs / 2; ++i) {
      panel->pairs[i] = header.pairs[i];
    }
  }
};

}  // namespace
}  // namespace tandem::cpu
