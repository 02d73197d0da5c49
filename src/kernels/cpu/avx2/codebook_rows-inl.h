#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/avx2/vec-inl.h"
#include "kernels/cpu/codebook-inl.h"
#include "quant/codebooks.h"

// Decoders of the codebook and ternary formats (see codebook-inl.h): the 256 codes of a block as
// signed bytes in order, 32 to a vector. An entry of eight values is loaded as eight bytes; IQ3's
// entries of four are words of three bits per value, of which eight are spread to bytes together.

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

/// table[level] of eight words of four levels of three bits.
inline __m256i SpreadLevels3(__m128i words, __m256i table) {
  __m128i nibbles = _mm_and_si128(words, _mm_set1_epi16(0x0007));
  nibbles = _mm_or_si128(nibbles, _mm_and_si128(_mm_slli_epi16(words, 1), _mm_set1_epi16(0x0070)));
  nibbles = _mm_or_si128(nibbles, _mm_and_si128(_mm_slli_epi16(words, 2), _mm_set1_epi16(0x0700)));
  nibbles = _mm_or_si128(nibbles, _mm_and_si128(_mm_slli_epi16(words, 3), _mm_set1_epi16(0x7000)));
  const __m128i low = _mm_and_si128(nibbles, _mm_set1_epi8(15));
  const __m128i high = _mm_and_si128(_mm_srli_epi16(nibbles, 4), _mm_set1_epi8(15));
  return LookUp(table,
                _mm256_setr_m128i(_mm_unpacklo_epi8(low, high), _mm_unpackhi_epi8(low, high)));
}
inline __m256i LevelTable3(const std::uint8_t* levels) {
  return SplatEight(LoadEight(levels));
}

/// The signs of a block's values, a bit each, 32 to a vector of codes.
struct SignBits {
  alignas(32) std::uint32_t of[8];
};

inline __m256i ApplySigns(__m256i codes, std::uint32_t signs) {
  const __m256i bytes = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2,
                                         2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i bits = SplatEight(0x8040201008040201);
  const __m256i copies = _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(signs)), bytes);
  const __m256i negative = _mm256_cmpeq_epi8(And(copies, bits), bits);
  return _mm256_sub_epi8(Xor(codes, negative), negative);
}

/// words: twice sixteen times seven sign bits; the eighth makes their number even.
inline SignBits EvenSigns(__m256i first, __m256i second) {
  const auto all = [](__m256i words) {
    const __m256i parity = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -128, -128, 0, -128, 0, 0, -128, -128, 0, 0, -128, 0, -128, -128, 0));
    const __m256i folded = And(Xor(words, _mm256_srli_epi16(words, 4)), _mm256_set1_epi16(0x000F));
    return Or(words, LookUp(parity, folded));
  };
  SignBits signs;
  const __m256i packed = _mm256_packus_epi16(all(first), all(second));
  _mm256_store_si256(reinterpret_cast<__m256i*>(signs.of), _mm256_permute4x64_epi64(packed, 0xD8));
  return signs;
}
/// The signs of eight groups of 32: four times seven bits of each dword.
inline SignBits PackedSigns(__m256i groups) {
  const auto words = [groups](__m256i order) {
    const __m256i pairs = _mm256_permutevar8x32_epi32(groups, order);
    const __m256i two = _mm256_srlv_epi32(pairs, SplatEight(0x0000000E00000000));
    return Or(And(two, Splat32(0x0000007F)), And(_mm256_slli_epi32(two, 9), Splat32(0x007F0000)));
  };
  return EvenSigns(words(_mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)),
                   words(_mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7)));
}
inline SignBits LoadSigns(const std::uint8_t* p) {
  SignBits signs;
  __builtin_memcpy(signs.of, p, sizeof(signs.of));
  return signs;
}

/// Four entries of a codebook of bytes: place(0) to place(3).
template <typename Place>
[[gnu::always_inline]] inline __m256i FourOfEight(const std::uint64_t* grid, Place place) {
  const auto two = [&](unsigned i) {
    const auto* low = reinterpret_cast<const double*>(grid + place(i));
    const auto* high = reinterpret_cast<const double*>(grid + place(i + 1));
    return _mm_castpd_si128(_mm_loadh_pd(_mm_load_sd(low), high));
  };
  return _mm256_setr_m128i(two(0), two(2));
}
/// Four entries of four values as a number.
inline std::uint64_t FourEntries(const std::uint16_t* grid, std::size_t a, std::size_t b,
                                 std::size_t c, std::size_t d) {
  return static_cast<std::uint64_t>(grid[a]) | static_cast<std::uint64_t>(grid[b]) << 16U |
         static_cast<std::uint64_t>(grid[c]) << 32U | static_cast<std::uint64_t>(grid[d]) << 48U;
}
inline __m128i EightEntries(const std::uint16_t* grid, const std::uint8_t* places, unsigned ninth) {
  const auto at = [&](unsigned i) {
    return static_cast<std::size_t>(places[i]) | ((ninth << (8 - i)) & 256U);
  };
  return _mm_set_epi64x(static_cast<long long>(FourEntries(grid, at(4), at(5), at(6), at(7))),
                        static_cast<long long>(FourEntries(grid, at(0), at(1), at(2), at(3))));
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

struct DecoderIQ2XXS : InOrder<HeadIQ2XXS> {
  static void ReadCodes(const std::uint8_t* p, __m256i* codes) {
    // The second dword of each eight bytes.
    const __m256i low = _mm256_shuffle_epi32(LoadVec(p + 2), 0xD);
    const __m256i high = _mm256_shuffle_epi32(LoadVec(p + 34), 0xD);
    const SignBits signs =
        PackedSigns(_mm256_permute4x64_epi64(_mm256_unpacklo_epi64(low, high), 0xD8));
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) {
      const std::uint8_t* at = p + 2 + 8 * i;
      const __m256i magnitudes =
          FourOfEight(quant::kIq2XxsBytes.entry, [at](unsigned entry) { return at[entry]; });
      codes[i] = ApplySigns(magnitudes, signs.of[i]);
    }
  }
};

struct DecoderIQ2XS : InOrder<HeadIQ2XS> {
  static void ReadCodes(const std::uint8_t* p, __m256i* codes) {
    const SignBits signs =
        EvenSigns(_mm256_srli_epi16(LoadVec(p + 2), 9), _mm256_srli_epi16(LoadVec(p + 34), 9));
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) {
      std::uint16_t at[4];
      __builtin_memcpy(at, p + 2 + 8 * i, sizeof(at));
      const __m256i magnitudes =
          FourOfEight(quant::kIq2XsBytes.entry, [&at](unsigned entry) { return at[entry] & 511U; });
      codes[i] = ApplySigns(magnitudes, signs.of[i]);
    }
  }
};

struct DecoderIQ2S : InOrder<HeadIQ2S> {
  static void ReadCodes(const std::uint8_t* p, __m256i* codes) {
    const SignBits signs = LoadSigns(p + 34);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) {
      const std::uint8_t* at = p + 2 + 4 * i;
      const std::size_t upper = p[66 + i];
      const __m256i magnitudes = FourOfEight(quant::kIq2SBytes.entry, [=](unsigned entry) {
        return at[entry] | ((upper << (8 - 2 * entry)) & 0x300U);
      });
      codes[i] = ApplySigns(magnitudes, signs.of[i]);
    }
  }
};

struct DecoderIQ3XXS : InOrder<HeadIQ3XXS> {
  static void ReadCodes(const std::uint8_t* p, __m256i* codes) {
    const SignBits signs = PackedSigns(LoadVec(p + 66));
    const __m256i table = LevelTable3(quant::kIq3XxsLevels);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) {
      const __m128i words = EightEntries(quant::kIq3XxsGrid, p + 2 + 8 * i, 0);
      codes[i] = ApplySigns(SpreadLevels3(words, table), signs.of[i]);
    }
  }
};

struct DecoderIQ3S : InOrder<HeadIQ3S> {
  static void ReadCodes(const std::uint8_t* p, __m256i* codes) {
    const SignBits signs = LoadSigns(p + 74);
    const __m256i table = LevelTable3(quant::kIq3SLevels);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) {
      const __m128i words = EightEntries(quant::kIq3SGrid, p + 2 + 8 * i, p[66 + i]);
      codes[i] = ApplySigns(SpreadLevels3(words, table), signs.of[i]);
    }
  }
};

struct DecoderIQ1S : InOrder<HeadIQ1S> {
  static void ReadCodes(const std::uint8_t* p, __m256i* codes) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) {
      const std::uint8_t* at = p + 2 + 4 * i;
      const std::size_t qh = p[34 + 2 * i] | static_cast<std::size_t>(p[35 + 2 * i]) << 8U;
      const __m256i eighths = FourOfEight(quant::kIq1Bytes.entry, [=](unsigned entry) {
        return at[entry] | (((qh << 8) >> (3 * entry)) & 0x700U);
      });
      codes[i] = Add8(eighths, Splat8(1 - 2 * static_cast<int>(qh >> 15U)));
    }
  }
};

struct DecoderIQ1M : InOrder<HeadIQ1M> {
  static void ReadCodes(const std::uint8_t* p, __m256i* codes) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) {
      const std::uint8_t* at = p + 4 * i;
      const std::size_t qh = p[32 + 2 * i] | static_cast<std::size_t>(p[33 + 2 * i]) << 8U;
      const __m256i eighths = FourOfEight(quant::kIq1Bytes.entry, [=](unsigned entry) {
        return at[entry] | (((qh << 8) >> (4 * entry)) & 0x700U);
      });
      // Bits 3, 7, 11 and 15: the shift of eight values each is -1 instead of 1.
      const __m256i bits = _mm256_setr_epi64x(8, 0x80, 0x800, 0x8000);
      const __m256i down = _mm256_cmpeq_epi64(And(SplatEight(qh), bits), bits);
      codes[i] = Add8(eighths, Or(down, Splat8(1)));
    }
  }
};

struct DecoderTQ1 : InOrder<HeadTQ1> {
  static void ReadCodes(const std::uint8_t* p, __m256i* codes) {
    __m256i first = LoadVec(p);
    for (std::size_t n = 0; n < 5; ++n) {
      codes[n] = Digits(first);
      first = Triple(first);
    }
    const __m128i second = LoadLow(p + 32);
    __m256i seconds = _mm256_setr_m128i(second, TripleLow(second));
    codes[5] = Digits(seconds);
    seconds = Triple(Triple(seconds));
    codes[6] = Digits(seconds);
    // The fifth digit of these, then four digits of the last four bytes.
    std::int32_t last = 0;
    __builtin_memcpy(&last, p + 48, sizeof(last));
    const __m128i once = _mm_set1_epi32(last);
    const __m128i thrice = TripleLow(once);
    const __m128i two = _mm_blend_epi16(once, thrice, 0xCC);
    const __m128i four = _mm_blend_epi16(two, TripleLow(TripleLow(two)), 0xF0);
    const __m128i fifth = _mm256_castsi256_si128(Triple(Triple(seconds)));
    codes[7] = Digits(_mm256_setr_m128i(fifth, four));
  }

 private:
  static __m256i Triple(__m256i v) { return Add8(v, Add8(v, v)); }
  static __m128i TripleLow(__m128i v) { return _mm_add_epi8(v, _mm_add_epi8(v, v)); }
  /// The first base-3 digit of each byte: 3 x / 256.
  static __m256i Digits(__m256i x) {
    const auto reaches = [x](int least) {
      return _mm256_cmpeq_epi8(_mm256_max_epu8(x, Splat8(least)), x);
    };
    return _mm256_sub_epi8(_mm256_setzero_si256(), Add8(reaches(86), reaches(171)));
  }
};

struct DecoderTQ2 : InOrder<HeadTQ2> {
  static void ReadCodes(const std::uint8_t* p, __m256i* codes) {
    const __m256i mask = Splat8(3);
    for (std::size_t half = 0; half < 2; ++half) {
      const __m256i v = LoadVec(p + 32 * half);
      codes[4 * half] = And(v, mask);
      codes[4 * half + 1] = And(_mm256_srli_epi16(v, 2), mask);
      codes[4 * half + 2] = And(_mm256_srli_epi16(v, 4), mask);
      codes[4 * half + 3] = And(_mm256_srli_epi16(v, 6), mask);
    }
  }
};

}  // namespace
}  // namespace tandem::cpu
