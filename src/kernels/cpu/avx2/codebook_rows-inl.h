#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/avx2/vec-inl.h"
#include "kernels/cpu/codebook-inl.h"
#include "quant/codebooks.h"

// The rows of the codebook and ternary formats (see codebook-inl.h): 32 values to a vector, in
// order, as magnitudes or unsigned codes and, where they have signs, bytes that sign() takes. Four
// entries of eight values, or eight of four, are loaded everywhere and blended: blends run beside
// the loads, where inserting would wait for the one port that shuffles. Places of more than eight
// bits are put together for the whole block and stored as words.

namespace tandem::cpu {
namespace {

inline __m256i LoadVec(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
inline __m128i LoadLow(const void* p) {
  return _mm_loadu_si128(static_cast<const __m128i*>(p));
}
inline std::uint64_t LoadEight(const void* p) {
  std::uint64_t v = 0;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}
inline __m256i SplatEight(std::uint64_t v) {
  return _mm256_set1_epi64x(static_cast<long long>(v));
}

/// The signs of a block's values, a bit each, 32 to a vector of codes.
struct SignBits {
  alignas(32) std::uint32_t of[8];
};

/// The bytes of a dword, each eight times. v: the dword everywhere.
inline __m256i SpreadDword(__m256i v) {
  const __m256i bytes = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2,
                                         2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  return _mm256_shuffle_epi8(v, bytes);
}
/// A negative byte for each set bit, a positive one for the others: 128 less the bit, to which the
/// bit is added; for bit 7 one, to which 128 is added.
inline __m256i SignBytes(const std::uint32_t* bits) {
  const __m256i bit = SplatEight(0x8040201008040201);
  const __m256i rest = SplatEight(0x01406070787C7E7F);
  return Add8(And(SpreadDword(SplatQuad(bits)), bit), rest);
}

/// Bytes of seven sign bits; the eighth makes their number even.
inline SignBits EvenSigns(__m256i bytes) {
  const __m256i parity = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, -128, -128, 0, -128, 0, 0, -128, -128, 0, 0, -128, 0, -128, -128, 0));
  const __m256i folded = And(Xor(bytes, _mm256_srli_epi16(bytes, 4)), Splat8(15));
  SignBits signs;
  _mm256_store_si256(reinterpret_cast<__m256i*>(signs.of), Or(bytes, LookUp(parity, folded)));
  return signs;
}
/// The signs of eight groups of 32: four times seven bits of each dword.
inline SignBits PackedSigns(__m256i groups) {
  const __m256i words =
      Or(And(groups, Splat32(0x00003FFF)), And(_mm256_slli_epi32(groups, 2), Splat32(0x3FFF0000)));
  return EvenSigns(
      Or(And(words, Splat32(0x007F007F)), And(_mm256_slli_epi32(words, 1), Splat32(0x7F007F00))));
}
inline SignBits LoadSigns(const std::uint8_t* p) {
  SignBits signs;
  __builtin_memcpy(signs.of, p, sizeof(signs.of));
  return signs;
}

/// Four entries of eight values: place(0) to place(3).
template <typename Place>
[[gnu::always_inline]] inline __m256i FourEntries(const std::uint64_t* grid, Place place) {
  const auto entry = [&](unsigned i) { return SplatEight(grid[place(i)]); };
  return _mm256_blend_epi32(_mm256_blend_epi32(entry(0), entry(1), 0x0C),
                            _mm256_blend_epi32(entry(2), entry(3), 0xC0), 0xF0);
}
/// Eight entries of four values: place(0) to place(7).
template <typename Place>
[[gnu::always_inline]] inline __m256i EightEntries(const std::uint32_t* grid, Place place) {
  const auto entry = [&](unsigned i) { return SplatQuad(grid + place(i)); };
  const __m256i low = _mm256_blend_epi32(_mm256_blend_epi32(entry(0), entry(1), 0x02),
                                         _mm256_blend_epi32(entry(2), entry(3), 0x08), 0x0C);
  const __m256i high = _mm256_blend_epi32(_mm256_blend_epi32(entry(4), entry(5), 0x20),
                                          _mm256_blend_epi32(entry(6), entry(7), 0x80), 0xC0);
  return _mm256_blend_epi32(low, high, 0xF0);
}

/// Places of 32 entries, as unpacking bytes with their upper bits leaves them.
struct Places {
  alignas(32) std::uint16_t of[32];

  /// The upper bits are those of unpacked bytes.
  void Set(__m256i bytes, __m256i upper_low, __m256i upper_high) {
    const __m256i zero = _mm256_setzero_si256();
    Set(Or(_mm256_unpacklo_epi8(bytes, zero), upper_low),
        Or(_mm256_unpackhi_epi8(bytes, zero), upper_high));
  }
  void Set(__m256i low, __m256i high) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(of), low);
    _mm256_store_si256(reinterpret_cast<__m256i*>(of + 16), high);
  }
  /// Those of entries 4 i to 4 i + 3.
  const std::uint16_t* Four(std::size_t i) const {
    return of + 4 * (i % 2) + 16 * (i / 2 % 2) + 8 * (i / 4);
  }
};
/// Words: in the lower 128 bits four times byte `a` of v, then `b`; in the upper ones `c`, then
/// `d`; with width 2 words of v instead. v: the same in both halves.
inline __m256i SpreadWords(__m256i v, int a, int b, int c, int d, int width) {
  const auto four = [width](int index) {
    const auto first = static_cast<std::uint64_t>(width * index);
    const std::uint64_t word = width == 1 ? first | 0x8000U : first | (first + 1) << 8U;
    return static_cast<long long>(0x0001000100010001ULL * word);
  };
  return _mm256_shuffle_epi8(v, _mm256_setr_epi64x(four(a), four(b), four(c), four(d)));
}
/// Four words, over and over.
inline __m256i RepeatWords(std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d) {
  return SplatEight(a | b << 16U | c << 32U | d << 48U);
}

/// A head whose panels take each scale twice, as madd does.
template <typename Head>
struct InOrder : Head {
  static IntVec FirstScale(IntVec pair) {
    return Or(And(pair, Splat32(0xFFFF)), ShiftLeft32<16>(pair));
  }
  static IntVec SecondScale(IntVec pair) {
    return Or(And(pair, Splat32(static_cast<int>(0xFFFF0000))), ShiftRight32<16>(pair));
  }
};

/// A decoder's Row is what Read() takes out of a block of a row as a whole; Codes(v) are then the
/// unsigned codes or magnitudes of 32 values and Signs(v), where the format has them, for sign().
template <typename Decoder>
struct WithCodes : Decoder {
  static void ReadCodes(const std::uint8_t* p, __m256i* codes) {
    typename Decoder::Row row;
    row.Read(p);
#pragma GCC unroll 8
    for (std::size_t v = 0; v < 8; ++v) {
      codes[v] = row.Codes(v);
      if constexpr (Decoder::kSigned) {
        codes[v] = _mm256_sign_epi8(codes[v], row.Signs(v));
      }
    }
  }
};

struct DecoderIQ2XXS : InOrder<HeadIQ2XXS> {
  struct Row {
    const std::uint8_t* places;
    SignBits signs;

    void Read(const std::uint8_t* p) {
      places = p + 2;
      // The second dword of each eight bytes.
      const __m256 halves = _mm256_shuffle_ps(_mm256_castsi256_ps(LoadVec(p + 2)),
                                              _mm256_castsi256_ps(LoadVec(p + 34)), 0xDD);
      signs = PackedSigns(_mm256_permute4x64_epi64(_mm256_castps_si256(halves), 0xD8));
    }
    __m256i Codes(std::size_t v) const {
      const std::uint8_t* at = places + 8 * v;
      return FourEntries(quant::kIq2XxsBytes.entry, [at](unsigned entry) { return at[entry]; });
    }
    __m256i Signs(std::size_t v) const { return SignBytes(signs.of + v); }
  };
};

struct DecoderIQ2XS : InOrder<HeadIQ2XS> {
  struct Row {
    Places places;  // in order
    SignBits signs;

    void Read(const std::uint8_t* p) {
      const __m256i first = LoadVec(p + 2);
      const __m256i second = LoadVec(p + 34);
      places.Set(And(first, _mm256_set1_epi16(511)), And(second, _mm256_set1_epi16(511)));
      const __m256i bytes =
          _mm256_packus_epi16(_mm256_srli_epi16(first, 9), _mm256_srli_epi16(second, 9));
      signs = EvenSigns(_mm256_permute4x64_epi64(bytes, 0xD8));
    }
    __m256i Codes(std::size_t v) const {
      const std::uint16_t* at = places.of + 4 * v;
      return FourEntries(quant::kIq2XsBytes.entry, [at](unsigned entry) { return at[entry]; });
    }
    __m256i Signs(std::size_t v) const { return SignBytes(signs.of + v); }
  };
};

struct DecoderIQ2S : InOrder<HeadIQ2S> {
  struct Row {
    Places places;
    SignBits signs;

    void Read(const std::uint8_t* p) {
      places.Set(LoadVec(p + 2), UpperBits(p, 0, 4), UpperBits(p, 2, 6));
      signs = LoadSigns(p + 34);
    }
    __m256i Codes(std::size_t v) const {
      const std::uint16_t* at = places.Four(v);
      return FourEntries(quant::kIq2SBytes.entry, [at](unsigned entry) { return at[entry]; });
    }
    __m256i Signs(std::size_t v) const { return SignBytes(signs.of + v); }
    /// Two bits for each of four entries in each byte of qh, from bytes a and b on.
    static __m256i UpperBits(const std::uint8_t* p, int a, int b) {
      const __m256i four = SpreadWords(SplatEight(LoadEight(p + 66)), a, a + 1, b, b + 1, 1);
      return And(_mm256_mullo_epi16(four, RepeatWords(256, 64, 16, 4)), _mm256_set1_epi16(0x0300));
    }
  };
};

struct DecoderIQ3XXS : InOrder<HeadIQ3XXS> {
  struct Row {
    const std::uint8_t* places;
    SignBits signs;

    void Read(const std::uint8_t* p) {
      places = p + 2;
      signs = PackedSigns(LoadVec(p + 66));
    }
    __m256i Codes(std::size_t v) const {
      const std::uint8_t* at = places + 8 * v;
      return EightEntries(quant::kIq3XxsBytes.entry, [at](unsigned entry) { return at[entry]; });
    }
    __m256i Signs(std::size_t v) const { return SignBytes(signs.of + v); }
  };
};

struct DecoderIQ3S : InOrder<HeadIQ3S> {
  struct Row {
    Places places[2];
    SignBits signs;

    void Read(const std::uint8_t* p) {
      places[0].Set(LoadVec(p + 2), NinthBits(p + 66, 0), NinthBits(p + 66, 1));
      places[1].Set(LoadVec(p + 34), NinthBits(p + 70, 0), NinthBits(p + 70, 1));
      signs = LoadSigns(p + 74);
    }
    __m256i Codes(std::size_t v) const {
      const std::uint16_t* at = places[v / 4].Four(2 * (v % 4));
      return EightEntries(quant::kIq3SBytes.entry, [at](unsigned entry) { return at[entry]; });
    }
    __m256i Signs(std::size_t v) const { return SignBytes(signs.of + v); }
    /// A bit for each of eight entries in bytes i and i + 2 of qh.
    static __m256i NinthBits(const std::uint8_t* qh, int i) {
      const __m256i eight = SpreadWords(SplatQuad(qh), i, i, i + 2, i + 2, 1);
      const __m256i powers =
          _mm256_broadcastsi128_si256(_mm_setr_epi16(256, 128, 64, 32, 16, 8, 4, 2));
      return And(_mm256_mullo_epi16(eight, powers), _mm256_set1_epi16(256));
    }
  };
};

struct DecoderIQ1S : InOrder<HeadIQ1S> {
  struct Row {
    Places places;

    void Read(const std::uint8_t* p) {
      places.Set(LoadVec(p + 2), UpperBits(p, 0, 4), UpperBits(p, 2, 6));
    }
    __m256i Codes(std::size_t v) const {
      const std::uint16_t* at = places.Four(v);
      return FourEntries(quant::kIq1Bytes.entry, [at](unsigned entry) { return at[entry]; });
    }
    /// Three bits for each of four entries in each word of qh, from words a and b on.
    static __m256i UpperBits(const std::uint8_t* p, int a, int b) {
      const __m256i qh = _mm256_broadcastsi128_si256(LoadLow(p + 34));
      const __m256i four = SpreadWords(qh, a, a + 1, b, b + 1, 2);
      const __m256i three = _mm256_mullo_epi16(four, RepeatWords(256, 32, 4, 0));
      return And(_mm256_blend_epi16(three, _mm256_srli_epi16(four, 1), 0x88),
                 _mm256_set1_epi16(0x0700));
    }
  };
};

struct DecoderIQ1M : InOrder<HeadIQ1M> {
  struct Row {
    Places places;
    alignas(32) std::uint8_t shifts[32];  // of each entry: 2 where its values are shifted up

    void Read(const std::uint8_t* p) {
      const __m128i qh = LoadLow(p + 32);
      const __m128i low = _mm_and_si128(qh, _mm_set1_epi8(15));
      const __m128i high = _mm_and_si128(_mm_srli_epi16(qh, 4), _mm_set1_epi8(15));
      const __m256i nibbles =
          _mm256_setr_m128i(_mm_unpacklo_epi8(low, high), _mm_unpackhi_epi8(low, high));
      const __m256i bytes = LoadVec(p);
      const __m256i upper = And(nibbles, Splat8(7));
      places.Set(_mm256_unpacklo_epi8(bytes, upper), _mm256_unpackhi_epi8(bytes, upper));
      const __m256i twos = _mm256_andnot_si256(_mm256_srli_epi16(nibbles, 2), Splat8(2));
      _mm256_store_si256(reinterpret_cast<__m256i*>(shifts), twos);
    }
    __m256i Codes(std::size_t v) const {
      const std::uint16_t* at = places.Four(v);
      const __m256i levels =
          FourEntries(quant::kIq1Bytes.entry, [at](unsigned entry) { return at[entry]; });
      return Add8(levels, SpreadDword(SplatQuad(shifts + 4 * v)));
    }
  };
};

struct DecoderTQ1 : InOrder<HeadTQ1> {
  struct Row {
    const std::uint8_t* block;

    void Read(const std::uint8_t* p) { block = p; }
    __m256i Codes(std::size_t v) const {
      if (v < 5) {  // digit v of the first 32 bytes
        return Digits(Powers(Centred(LoadVec(block)), v));
      }
      // Two digits at a time of 16 bytes; their fifth, then four digits of four bytes.
      const __m128i second = LoadLow(block + 32);
      const __m256i seconds = Centred(_mm256_setr_m128i(second, TripleLow(second)));
      if (v < 7) {
        return Digits(Powers(seconds, 2 * (v - 5)));
      }
      std::int32_t last = 0;
      __builtin_memcpy(&last, block + 48, sizeof(last));
      const __m128i once = _mm_set1_epi32(last);
      const __m128i two = _mm_blend_epi16(once, TripleLow(once), 0xCC);
      const __m128i four = _mm_blend_epi16(two, TripleLow(TripleLow(two)), 0xF0);
      const __m256i fours = Centred(_mm256_broadcastsi128_si256(four));
      return Digits(_mm256_blend_epi32(Powers(seconds, 4), fours, 0xF0));
    }
    /// Bytes less 128, to be compared as signed ones. Times three they are again.
    static __m256i Centred(__m256i v) { return Xor(v, Splat8(-128)); }
    /// 3^n v, modulo 256.
    static __m256i Powers(__m256i v, std::size_t n) {
#pragma GCC unroll 4
      for (std::size_t i = 0; i < n; ++i) {
        v = Add8(v, Add8(v, v));
      }
      return v;
    }
    static __m128i TripleLow(__m128i v) {
      return _mm_add_epi8(v, _mm_add_epi8(v, v));
    }
    /// The first base-3 digit of each byte: 3 x / 256, which reaches 1 at 86 and 2 at 171.
    static __m256i Digits(__m256i x) {
      const __m256i zero = _mm256_cmpgt_epi8(Splat8(86 - 128), x);
      const __m256i two = _mm256_cmpgt_epi8(x, Splat8(170 - 128));
      return _mm256_sub_epi8(Add8(Splat8(1), zero), two);
    }
  };
};

struct DecoderTQ2 : InOrder<HeadTQ2> {
  struct Row {
    const std::uint8_t* block;

    void Read(const std::uint8_t* p) { block = p; }
    __m256i Codes(std::size_t v) const {
      const auto shift = static_cast<int>(2 * (v % 4));
      return And(_mm256_srli_epi16(LoadVec(block + 32 * (v / 4)), shift), Splat8(3));
    }
  };
};

}  // namespace
}  // namespace tandem::cpu
