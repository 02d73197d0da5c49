#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/avx512/rows-inl.h"
#include "kernels/cpu/codebook-inl.h"
#include "quant/codebooks.h"

// The formats whose numbers are places in a codebook (IQ1, IQ2, IQ3), and the ternary ones, as
// codes plus kBias. An entry of eight values is loaded as eight bytes. IQ3's entries
// of four would take a load per dword: they are words of a few bits per value, 64 of which fit two
// registers, so that 32 places are looked up together, and the levels are then spread to bytes.
//
// A Decoder is what rows-inl.h and codebook-inl.h ask of a format.

namespace tandem::cpu {
namespace {

/// grid[index] for each word; index below kEntries.
template <int kEntries>
__m512i LookUpWords(const std::uint16_t* grid, __m512i index) {
  if constexpr (kEntries == 64) {
    return _mm512_permutex2var_epi16(LoadBytes(grid), index, LoadBytes(grid + 32));
  } else {
    constexpr int kHalf = kEntries / 2;
    const __mmask32 upper = _mm512_test_epi16_mask(index, _mm512_set1_epi16(kHalf));
    return _mm512_mask_blend_epi16(upper, LookUpWords<kHalf>(grid, index),
                                   LookUpWords<kHalf>(grid + kHalf, index));
  }
}

inline __m256i LoadHalf(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
/// 32 bytes as words.
inline __m512i LoadWords(const void* p) {
  return _mm512_cvtepu8_epi16(LoadHalf(p));
}
/// Eight bytes everywhere.
inline __m512i SplatEight(const void* p) {
  long long v = 0;
  __builtin_memcpy(&v, p, sizeof(v));
  return _mm512_set1_epi64(v);
}
/// In the words of 128-bit lane j: four times word 2 j of v, then four times word 2 j + 1. v: the
/// same in every lane.
inline __m512i SpreadWords(__m512i v) {
  const auto four = [](std::uint64_t word) {
    return static_cast<long long>(0x0001000100010001ULL * (0x0100ULL + 0x0202ULL * word));
  };
  return _mm512_shuffle_epi8(
      v, _mm512_setr_epi64(four(0), four(1), four(2), four(3), four(4), four(5), four(6), four(7)));
}
/// Four words, over and over.
inline __m512i RepeatWords(std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d) {
  return _mm512_set1_epi64(static_cast<long long>(a | b << 16U | c << 32U | d << 48U));
}

/// Eight entries of a codebook of bytes: place(0) to place(7).
template <typename Place>
[[gnu::always_inline]] inline __m512i EightEntries(const std::uint64_t* grid, Place place) {
  const auto two = [&](unsigned i) {
    const auto* low = reinterpret_cast<const double*>(grid + place(i));
    const auto* high = reinterpret_cast<const double*>(grid + place(i + 1));
    return _mm_castpd_si128(_mm_loadh_pd(_mm_load_sd(low), high));
  };
  return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_setr_m128i(two(0), two(2))),
                            _mm256_setr_m128i(two(4), two(6)), 1);
}

/// Words of four levels of three bits, as four nibbles.
inline __m512i LevelsToNibbles(__m512i words) {
  __m512i v = _mm512_and_si512(words, _mm512_set1_epi16(0x0007));
  v = MaskOr(_mm512_slli_epi16(words, 1), _mm512_set1_epi16(0x0070), v);
  v = MaskOr(_mm512_slli_epi16(words, 2), _mm512_set1_epi16(0x0700), v);
  return MaskOr(_mm512_slli_epi16(words, 3), _mm512_set1_epi16(0x7000), v);
}
/// table[level] for words 16 i .. 16 i + 15 of `nibbles`.
template <int kHalf>
__m512i SpreadLevels3(__m512i nibbles, __m512i table) {
  constexpr int kFirst = 4 * kHalf;
  const __m512i lanes = _mm512_setr_epi64(kFirst, kFirst, kFirst + 1, kFirst + 1, kFirst + 2,
                                          kFirst + 2, kFirst + 3, kFirst + 3);
  const __m512i bytes =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7));
  const __m512i copies = _mm512_shuffle_epi8(_mm512_permutexvar_epi64(lanes, nibbles), bytes);
  const __m512i low = _mm512_and_si512(copies, _mm512_set1_epi16(0x000F));
  return _mm512_shuffle_epi8(table,
                             MaskOr(_mm512_srli_epi16(copies, 4), _mm512_set1_epi16(0x0F00), low));
}
/// Eight levels plus a bias, for SpreadLevels3.
inline __m512i LevelTable3(const std::uint8_t* levels, int bias) {
  alignas(16) std::uint8_t bytes[16] = {};
  for (int i = 0; i < 8; ++i) {
    bytes[i] = static_cast<std::uint8_t>(levels[i] + bias);
  }
  return SplatTable(bytes);
}

/// Words of four bytes, joined with the bits above that pdep puts where `mask` says.
inline std::uint64_t FourPlaces(const std::uint8_t* bytes, std::uint64_t upper,
                                std::uint64_t mask) {
  std::uint32_t four = 0;
  __builtin_memcpy(&four, bytes, sizeof(four));
  return _pdep_u64(four, 0x00FF00FF00FF00FF) | _pdep_u64(upper, mask);
}
/// Eight entries: the words of `low`, then those of `high`.
inline __m512i EightEntriesAt(const std::uint64_t* grid, std::uint64_t low, std::uint64_t high) {
  return EightEntries(grid, [=](unsigned entry) {
    return ((entry < 4 ? low : high) >> (16 * (entry % 4))) & 0xFFFFU;
  });
}

/// The signs of a block's values, a bit each.
struct SignBits {
  alignas(32) std::uint64_t of[4];
};

/// kBias plus the magnitudes, or less those whose bit is set.
template <int kBias>
__m512i SignedCodes(__m512i magnitudes, std::uint64_t signs) {
  const __m512i bias = Splat8(kBias);
  return _mm512_mask_sub_epi8(Add8(bias, magnitudes), signs, bias, magnitudes);
}
/// Negates biased codes whose bit is set: kBias + m becomes kBias - m.
template <int kBias>
__m512i ApplySigns(__m512i codes, std::uint64_t signs) {
  return _mm512_mask_sub_epi8(codes, signs, Splat8(2 * kBias), codes);
}

/// words: seven sign bits each; the eighth makes their number even.
inline SignBits EvenSigns(__m512i words) {
  const __m512i parity = _mm512_broadcast_i32x4(
      _mm_setr_epi8(0, -128, -128, 0, -128, 0, 0, -128, -128, 0, 0, -128, 0, -128, -128, 0));
  const __m512i folded = _mm512_and_si512(_mm512_xor_si512(words, _mm512_srli_epi16(words, 4)),
                                          _mm512_set1_epi16(0x000F));
  const __m512i all = _mm512_or_si512(words, _mm512_shuffle_epi8(parity, folded));
  SignBits signs;
  _mm256_store_si256(reinterpret_cast<__m256i*>(signs.of), _mm512_cvtepi16_epi8(all));
  return signs;
}
/// The signs of eight groups of 32: four times seven bits of each dword. pairs: each dword twice.
inline SignBits PackedSigns(__m512i pairs) {
  const __m512i two = _mm512_srlv_epi32(pairs, _mm512_set1_epi64(0x0000000E00000000));
  const __m512i low = _mm512_and_si512(two, _mm512_set1_epi32(0x0000007F));
  return EvenSigns(MaskOr(_mm512_slli_epi32(two, 9), _mm512_set1_epi32(0x007F0000), low));
}
inline SignBits LoadSigns(const std::uint8_t* p) {
  SignBits signs;
  __builtin_memcpy(signs.of, p, sizeof(signs.of));
  return signs;
}

/// 2 s + 1 for scales of four bits, eight of them in bytes, to the words of 64 codes each.
inline void SpreadScales(std::uint64_t bytes, __m512i* words) {
  const __m512i all = _mm512_set1_epi64(static_cast<long long>(2 * bytes + 0x0101010101010101));
  words[0] = SpreadBytes<0, 1>(all);
  words[1] = SpreadBytes<2, 3>(all);
  words[2] = SpreadBytes<4, 5>(all);
  words[3] = SpreadBytes<6, 7>(all);
}
/// Sixteen scales, a word each, likewise.
inline void SpreadScaleWords(__m256i scales, __m512i* words) {
  const __m512i all = _mm512_castsi256_si512(scales);
  const __m512i lane = _mm512_inserti64x4(
      _mm512_castsi256_si512(_mm256_setr_m128i(_mm_set1_epi16(0), _mm_set1_epi16(1))),
      _mm256_setr_m128i(_mm_set1_epi16(2), _mm_set1_epi16(3)), 1);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    words[i] = _mm512_permutexvar_epi16(
        _mm512_add_epi16(lane, _mm512_set1_epi16(static_cast<short>(4 * i))), all);
  }
}
/// Sixteen scales 2 s + 1 from the nibbles of eight bytes.
inline void SpreadNibbleScales(const std::uint8_t* p, __m512i* words) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  const __m128i nibble = _mm_set1_epi8(15);
  const __m128i codes = _mm_unpacklo_epi8(_mm_and_si128(bytes, nibble),
                                          _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble));
  const __m128i scales = _mm_add_epi8(_mm_add_epi8(codes, codes), _mm_set1_epi8(1));
  SpreadScaleWords(_mm256_cvtepu8_epi16(scales), words);
}

/// A head in the order of the codes as they lie in memory.
template <typename Head>
struct InOrder : Head {
  static void ReadActivations(const BlockQ8K& x, __m512i* q) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      q[i] = LoadBytes(x.q + 64 * i);
    }
  }
  static IntVec FirstScale(IntVec pair) {
    return And(pair, Splat32(0xFFFF));
  }
  static IntVec SecondScale(IntVec pair) {
    return ShiftRight32<16>(pair);
  }
};

/// Codes from twice 32 words of levels of three bits and the signs.
template <int kBias>
void SignedCodes3(__m512i low, __m512i high, __m512i table, const SignBits& signs, __m512i* codes) {
  const __m512i a = LevelsToNibbles(low);
  const __m512i b = LevelsToNibbles(high);
  codes[0] = ApplySigns<kBias>(SpreadLevels3<0>(a, table), signs.of[0]);
  codes[1] = ApplySigns<kBias>(SpreadLevels3<1>(a, table), signs.of[1]);
  codes[2] = ApplySigns<kBias>(SpreadLevels3<0>(b, table), signs.of[2]);
  codes[3] = ApplySigns<kBias>(SpreadLevels3<1>(b, table), signs.of[3]);
}

struct DecoderIQ2XXS : InOrder<HeadIQ2XXS> {
  static void ReadCodes(const std::uint8_t* p, __m512i* codes) {
    const __m512i v = LoadBytes(p + 2);  // per group four places, then signs and scale
    const SignBits signs = PackedSigns(_mm512_shuffle_epi32(v, static_cast<_MM_PERM_ENUM>(0xF5)));
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint8_t* at = p + 2 + 16 * i;
      const __m512i magnitudes = EightEntries(quant::kIq2XxsBytes.entry, [at](unsigned entry) {
        return at[entry < 4 ? entry : entry + 4];
      });
      codes[i] = SignedCodes<kBias>(magnitudes, signs.of[i]);
    }
  }
  static void ReadScales(const std::uint8_t* p, __m512i* words) {
    const __m512i scales = _mm512_srli_epi64(LoadBytes(p + 2), 60);
    const __m128i bytes = _mm512_cvtepi64_epi8(scales);
    SpreadScales(static_cast<std::uint64_t>(_mm_cvtsi128_si64(bytes)), words);
  }
};

struct DecoderIQ2XS : InOrder<HeadIQ2XS> {
  static void ReadCodes(const std::uint8_t* p, __m512i* codes) {
    const SignBits signs = EvenSigns(_mm512_srli_epi16(LoadBytes(p + 2), 9));
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      std::uint16_t at[8];
      __builtin_memcpy(at, p + 2 + 16 * i, sizeof(at));
      const __m512i magnitudes = EightEntries(quant::kIq2XsBytes.entry,
                                              [&at](unsigned entry) { return at[entry] & 511U; });
      codes[i] = SignedCodes<kBias>(magnitudes, signs.of[i]);
    }
  }
  static void ReadScales(const std::uint8_t* p, __m512i* words) {
    SpreadNibbleScales(p + 66, words);
  }
};

struct DecoderIQ2S : InOrder<HeadIQ2S> {
  static void ReadCodes(const std::uint8_t* p, __m512i* codes) {
    const SignBits signs = LoadSigns(p + 34);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      constexpr std::uint64_t kUpper = 0x0300030003000300;
      const __m512i magnitudes =
          EightEntriesAt(quant::kIq2SBytes.entry, FourPlaces(p + 2 + 8 * i, p[66 + 2 * i], kUpper),
                         FourPlaces(p + 6 + 8 * i, p[67 + 2 * i], kUpper));
      codes[i] = SignedCodes<kBias>(magnitudes, signs.of[i]);
    }
  }
  static void ReadScales(const std::uint8_t* p, __m512i* words) {
    SpreadNibbleScales(p + 74, words);
  }
};

struct DecoderIQ3XXS : InOrder<HeadIQ3XXS> {
  static void ReadCodes(const std::uint8_t* p, __m512i* codes) {
    const __m512i low = LookUpWords<256>(quant::kIq3XxsGrid, LoadWords(p + 2));
    const __m512i high = LookUpWords<256>(quant::kIq3XxsGrid, LoadWords(p + 34));
    const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    const SignBits signs =
        PackedSigns(_mm512_permutexvar_epi32(twice, _mm512_castsi256_si512(LoadHalf(p + 66))));
    SignedCodes3<kBias>(low, high, LevelTable3(quant::kIq3XxsLevels, kBias), signs, codes);
  }
  static void ReadScales(const std::uint8_t* p, __m512i* words) {
    const __m128i bytes = _mm256_cvtepi32_epi8(_mm256_srli_epi32(LoadHalf(p + 66), 28));
    SpreadScales(static_cast<std::uint64_t>(_mm_cvtsi128_si64(bytes)), words);
  }
};

struct DecoderIQ3S : InOrder<HeadIQ3S> {
  static void ReadCodes(const std::uint8_t* p, __m512i* codes) {
    std::uint64_t ninth = 0;
    __builtin_memcpy(&ninth, p + 66, sizeof(ninth));
    const __m512i bit = _mm512_set1_epi16(256);
    const auto places = [bit](const std::uint8_t* from, std::uint64_t bits) {
      const __m512i v = LoadWords(from);
      return _mm512_mask_add_epi16(v, static_cast<__mmask32>(bits), v, bit);
    };
    const __m512i low = LookUpWords<512>(quant::kIq3SGrid, places(p + 2, ninth));
    const __m512i high = LookUpWords<512>(quant::kIq3SGrid, places(p + 34, ninth >> 32U));
    SignedCodes3<kBias>(low, high, LevelTable3(quant::kIq3SLevels, kBias), LoadSigns(p + 74),
                        codes);
  }
  static void ReadScales(const std::uint8_t* p, __m512i* words) {
    std::uint32_t nibbles = 0;
    __builtin_memcpy(&nibbles, p + 106, sizeof(nibbles));
    SpreadScales(_pdep_u64(nibbles, 0x0F0F0F0F0F0F0F0F), words);
  }
};

struct DecoderIQ1S : InOrder<HeadIQ1S> {
  static void ReadCodes(const std::uint8_t* p, __m512i* codes) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      constexpr std::uint64_t kUpper = 0x0700070007000700;
      std::uint32_t qh = 0;
      __builtin_memcpy(&qh, p + 34 + 4 * i, sizeof(qh));
      codes[i] = EightEntriesAt(quant::kIq1Bytes.entry, FourPlaces(p + 2 + 8 * i, qh, kUpper),
                                FourPlaces(p + 6 + 8 * i, qh >> 16U, kUpper));
    }
  }
  static void ReadScales(const std::uint8_t* p, __m512i* words) {
    const __m128i qh = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 34));
    const __m128i codes = _mm_and_si128(_mm_srli_epi16(qh, 12), _mm_set1_epi16(7));
    const __m128i bytes = _mm_packus_epi16(codes, codes);
    SpreadScales(static_cast<std::uint64_t>(_mm_cvtsi128_si64(bytes)), words);
  }
};

struct DecoderIQ1M : InOrder<HeadIQ1M> {
  static void ReadCodes(const std::uint8_t* p, __m512i* codes) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint8_t* at = p + 8 * i;
      std::uint32_t nibbles = 0;
      __builtin_memcpy(&nibbles, p + 32 + 4 * i, sizeof(nibbles));
      const std::uint64_t upper = static_cast<std::uint64_t>(nibbles) << 8U;
      const __m512i levels = EightEntries(quant::kIq1Bytes.entry, [=](unsigned entry) {
        return at[entry] | ((upper >> (4 * entry)) & 0x700U);
      });
      const auto shifted_up = static_cast<__mmask8>(_pext_u32(~nibbles, 0x88888888U));
      codes[i] = Add8(levels, _mm512_maskz_mov_epi64(shifted_up, Splat8(2)));
    }
  }
  static void ReadScales(const std::uint8_t* p, __m512i* words) {
    const __m256i four = _mm512_castsi512_si256(SpreadWords(SplatEight(p + 48)));
    const __m256i shifted =
        _mm256_srlv_epi16(four, _mm512_castsi512_si256(RepeatWords(0, 3, 6, 9)));
    const __m256i codes = _mm256_and_si256(shifted, _mm256_set1_epi16(7));
    SpreadScaleWords(_mm256_add_epi16(_mm256_add_epi16(codes, codes), _mm256_set1_epi16(1)), words);
  }
};

inline void UnitScales(__m512i* words) {
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    words[i] = _mm512_set1_epi16(1);
  }
}

struct DecoderTQ1 : InOrder<HeadTQ1> {
  static void ReadScales(const std::uint8_t* /*p*/, __m512i* words) { UnitScales(words); }
  static void ReadCodes(const std::uint8_t* p, __m512i* codes) {
    const __m256i first = LoadHalf(p);
    const __m128i second = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 32));
    std::int32_t last = 0;
    __builtin_memcpy(&last, p + 48, sizeof(last));
    const __m256i seconds = _mm256_setr_m128i(second, second);
    const __m512i firsts = _mm512_broadcast_i64x4(first);
    codes[0] = Digits(firsts, Multipliers(1, 1, 3, 3));
    codes[1] = Digits(firsts, Multipliers(9, 9, 27, 27));
    codes[2] = Digits(_mm512_inserti64x4(_mm512_castsi256_si512(first), seconds, 1),
                      Multipliers(81, 81, 1, 3));
    const __m512i rest = _mm512_inserti64x4(_mm512_castsi256_si512(seconds),
                                            _mm256_setr_m128i(second, _mm_set1_epi32(last)), 1);
    const __m128i powers = _mm_setr_epi16(1, 1, 3, 3, 9, 9, 27, 27);
    codes[3] = Digits(rest, _mm512_inserti32x4(Multipliers(9, 27, 81, 0), powers, 3));
  }

 private:
  /// A word in all of each 128-bit lane.
  static __m512i Multipliers(short a, short b, short c, short d) {
    return _mm512_inserti64x4(
        _mm512_castsi256_si512(_mm256_setr_m128i(_mm_set1_epi16(a), _mm_set1_epi16(b))),
        _mm256_setr_m128i(_mm_set1_epi16(c), _mm_set1_epi16(d)), 1);
  }
  /// The first base-3 digit of bytes times powers of three, modulo 256: 3 x / 256.
  static __m512i Digits(__m512i bytes, __m512i powers) {
    const __m512i low = _mm512_set1_epi16(0x00FF);
    const __m512i even = _mm512_mullo_epi16(_mm512_and_si512(bytes, low), powers);
    const __m512i odd = _mm512_mullo_epi16(_mm512_andnot_si512(low, bytes), powers);
    const __m512i x = MaskOr(even, low, odd);
    const __m512i one = _mm512_maskz_mov_epi8(_mm512_cmpge_epu8_mask(x, Splat8(86)), Splat8(1));
    return _mm512_mask_mov_epi8(one, _mm512_cmpge_epu8_mask(x, Splat8(171)), Splat8(2));
  }
};

struct DecoderTQ2 : InOrder<HeadTQ2> {
  static void ReadScales(const std::uint8_t* /*p*/, __m512i* words) { UnitScales(words); }
  static void ReadCodes(const std::uint8_t* p, __m512i* codes) {
    const __m512i mask = Splat8(3);
#pragma GCC unroll 2
    for (std::size_t half = 0; half < 2; ++half) {
      const __m512i v = LoadTwice(p + 32 * half);
      codes[2 * half] = And(ShiftRightHalves<0, 2>(v), mask);
      codes[2 * half + 1] = And(ShiftRightHalves<4, 6>(v), mask);
    }
  }
};

}  // namespace
}  // namespace tandem::cpu
