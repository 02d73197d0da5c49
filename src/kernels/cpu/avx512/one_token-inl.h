#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/avx512/rows-inl.h"

// The products of rows-inl.h for one token, where memory sets the pace and nothing else should.
// Weights are read in one stream from the first byte to the last, since several beside each other
// cost a core with a good prefetcher a quarter of what it can read, and what finishing a block
// takes is put aside on the way: going back for it would break the stream. The activations' blocks
// lie pages apart in few sets of the first cache, so what is needed of them is copied as well.

namespace tandem::cpu {
namespace {

/// Half as many numbers, with the same sum.
inline __m256i Fold(__m512i v) {
  return _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
}
inline __m128i Fold(__m256i v) {
  return _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

/// Q4_K and Q5_K. A format here has beside what rows-inl.h asks for
///   ReadFactors(p)      d, and above it dmin, of the block at p
///   DotMins(p, sums)    with minima: numbers whose sum is M; sums: those of the activations
///   DotBias(p, sums)    without: what the codes' bias adds to S
template <typename Base>
struct OneTokenK4 : Base {
  static std::uint32_t ReadFactors(const std::uint8_t* p) {
    std::uint32_t both = 0;
    __builtin_memcpy(&both, p, sizeof(both));
    return both;
  }
  static __m128i DotMins(const std::uint8_t* p, const std::int16_t* sums) {
    const __m128i words = _mm_setr_epi8(4, -1, 5, -1, 6, -1, 7, -1, 12, -1, 13, -1, 14, -1, 15, -1);
    return _mm_madd_epi16(_mm_shuffle_epi8(ReadSixBits(p), words),
                          _mm_load_si128(reinterpret_cast<const __m128i*>(sums)));
  }
  static void ReadScales(const std::uint8_t* p, __m512i* words) {
    const __m512i bytes = _mm512_broadcast_i32x4(ReadSixBits(p));
    words[0] = SpreadBytes<0, 2>(bytes);
    words[1] = SpreadBytes<1, 3>(bytes);
    words[2] = SpreadBytes<8, 10>(bytes);
    words[3] = SpreadBytes<9, 11>(bytes);
  }

 private:
  /// Bytes: scales 0 to 3, minima 0 to 3, scales 4 to 7, minima 4 to 7 (see SetK4Header).
  static __m128i ReadSixBits(const std::uint8_t* p) {
    const __m128i head = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i low = _mm_shuffle_epi32(head, 0x99);  // twice the first four of each
    const __m128i both = _mm_shuffle_epi32(head, 0xFF);
    const __m128i nibbles =
        _mm_and_si128(_mm_srlv_epi32(both, _mm_setr_epi32(0, 0, 0, 4)), _mm_set1_epi8(15));
    const __m128i top = _mm_and_si128(_mm_srli_epi16(low, 2), _mm_set1_epi8(0x30));
    return _mm_blend_epi32(_mm_and_si128(low, _mm_set1_epi8(63)), _mm_or_si128(nibbles, top), 0xC);
  }
};

struct OneTokenQ6K : RowsQ6K {
  static std::uint32_t ReadFactors(const std::uint8_t* p) {
    std::uint16_t d = 0;
    __builtin_memcpy(&d, p + 208, sizeof(d));
    return d;
  }
  static __m256i DotBias(const std::uint8_t* p, const std::int16_t* sums) {
    const __m256i scales =
        _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 192)));
    const __m256i words = _mm256_load_si256(reinterpret_cast<const __m256i*>(sums));
    return _mm256_slli_epi32(_mm256_madd_epi16(scales, words), Log2(kBias));
  }
};

/// IQ4_XS: a vector of codes holds 16 of each of four sub-blocks, so that a sum's 128-bit lanes
/// have one scale each. The codes' bias leaves no room for words: sums are multiplied as they are.
struct OneTokenIQ4XS : FormatIQ4XS {
  static std::uint32_t ReadFactors(const std::uint8_t* p) {
    std::uint16_t d = 0;
    __builtin_memcpy(&d, p, sizeof(d));
    return d;
  }
  static __m256i DotBias(const std::uint8_t* p, const std::int16_t* sums) {
    const __m128i words = _mm_cvtepi8_epi16(_mm_cvtsi64_si128(ReadScaleBytes(p)));
    const __m128i dots =
        _mm_madd_epi16(words, _mm_load_si128(reinterpret_cast<const __m128i*>(sums)));
    return _mm256_zextsi128_si256(_mm_slli_epi32(dots, Log2(kBias)));
  }
  static void ReadActivations(const BlockQ8K& x, __m512i* q) { PairActivations<0x88, 0xDD>(x, q); }
  static __m512i Sum(const std::uint8_t* p, const __m512i* x) {
    const __m512i table = Iq4Table();
    const __m512i scales =
        _mm512_castsi256_si512(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(ReadScaleBytes(p))));
    __m512i sum = _mm512_setzero_si512();
#pragma GCC unroll 2
    for (std::size_t half = 0; half < 2; ++half) {
      const __m512i codes = LoadBytes(p + 8 + 64 * half);
      __m512i part = _mm512_dpbusd_epi32(_mm512_setzero_si512(), LookUp(table, LowNibbles(codes)),
                                         x[2 * half]);
      part = _mm512_dpbusd_epi32(part, LookUp(table, HighNibbles(codes)), x[2 * half + 1]);
      const int first = 4 * static_cast<int>(half);
      const __m512i lanes =
          Add32(_mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3), Splat32(first));
      sum = Add32(sum, _mm512_mullo_epi32(part, _mm512_permutexvar_epi32(lanes, scales)));
    }
    return sum;
  }

 private:
  /// The eight scales, less 32 (see FormatIQ4XS::ScaleBytes).
  static long long ReadScaleBytes(const std::uint8_t* p) {
    std::uint64_t head = 0;  // d, the upper bits, the lower ones
    __builtin_memcpy(&head, p, sizeof(head));
    const std::uint64_t low = _pdep_u64(head >> 32U, 0x0F0F0F0F0F0F0F0FU);
    const std::uint64_t high = _pdep_u64(head >> 16U, 0x3030303030303030U);
    // Less 32 in each byte: no byte has more than six bits, so none borrows from the next.
    return static_cast<long long>(((low | high) ^ 0x8080808080808080U) - 0x2020202020202020U) ^
           static_cast<long long>(0x8080808080808080U);
  }
};

/// S of one block, spread over 16 lanes; with minima or a bias, before those.
template <typename Format>
__m512i SumOne(const std::uint8_t* p, const __m512i (*x)[4]) {
  if constexpr (Format::kType == FormatIQ4XS::kType) {
    return Format::Sum(p, x[0]);
  } else {
    __m512i sum = _mm512_setzero_si512();
    SumBlock<Format, 1>(p, x, &sum);
    return sum;
  }
}

/// Bytes between a fetch and its use.
constexpr std::size_t kStreamFetchBytes = 8192;

struct OneTokenScratch {
  static constexpr std::size_t kMostBlocks = 128;

  __m512i x[kMostBlocks][1][4];                      // as ReadActivations gives them
  alignas(32) std::int16_t x_sums[kMostBlocks][16];  // of each sub-block
  float x_d[kMostBlocks];
  // At SlotOf(r) four numbers of row r: their sum is S; or that of the first and third, and that of
  // the others M.
  alignas(64) __m128i sums[kMostBlocks][kLanes];
  alignas(64) std::uint32_t factors[kMostBlocks][kLanes];
};

/// Where the sums of row r wait: added up, they are in the order of the rows.
inline std::size_t SlotOf(std::size_t r) {
  return 4 * (r % 4) + r / 4;
}

/// Row r of a group, which starts at p.
template <typename Format>
void StreamRow(const std::uint8_t* p, std::size_t blocks, std::size_t r, const std::uint8_t* w_end,
               OneTokenScratch* scratch) {
  constexpr std::size_t kBytes = sizeof(typename Format::Block);
  for (std::size_t b = 0; b < blocks; ++b, p += kBytes) {
    FetchLines<kBytes>(p + kStreamFetchBytes + kBytes <= w_end ? p + kStreamFetchBytes : p);
    const __m256i sum = Fold(SumOne<Format>(p, scratch->x[b]));
    if constexpr (Format::kMins) {
      const __m128i s = Fold(sum);
      const __m128i m = Format::DotMins(p, scratch->x_sums[b]);
      scratch->sums[b][SlotOf(r)] =
          _mm_add_epi32(_mm_unpacklo_epi32(s, m), _mm_unpackhi_epi32(s, m));
    } else {
      const __m256i bias = Format::DotBias(p, scratch->x_sums[b]);
      scratch->sums[b][SlotOf(r)] = Fold(_mm256_sub_epi32(sum, bias));
    }
    scratch->factors[b][r] = Format::ReadFactors(p);
  }
}

/// The results of a group of rows.
template <typename Format>
FloatVec FinishGroup(std::size_t blocks, const OneTokenScratch& scratch) {
  alignas(64) float acc[kLanes] = {};
  for (std::size_t b = 0; b < blocks; ++b) {
    const __m128i* waiting = scratch.sums[b];
    const __m512i low = AddAcross32(LoadBytes(waiting), LoadBytes(waiting + 4));
    const __m512i high = AddAcross32(LoadBytes(waiting + 8), LoadBytes(waiting + 12));
    const __m512i firsts = _mm512_unpacklo_epi64(low, high);
    const __m512i seconds = _mm512_unpackhi_epi64(low, high);
    const IntVec s = Format::kMins ? firsts : Add32(firsts, seconds);
    const __m512i factors = LoadBytes(scratch.factors[b]);
    FinishSums<Format>(HalfOf(factors), HalfOf(ShiftRight32<16>(factors)), scratch.x_d[b], s,
                       seconds, acc);
  }
  return LoadFloats(acc);
}

/// Calls stream(p, r, w_end) for every row, r of a group of kLanes that starts at p, and finish()
/// behind each group for its results.
template <typename Stream, typename Finish>
void StreamGroups(const MatMulArgs& args, Stream stream, Finish finish) {
  const auto* p = static_cast<const std::uint8_t*>(args.w);
  const auto* w_end = static_cast<const std::uint8_t*>(args.w_end);
  for (std::size_t first = 0; first < args.rows; first += kLanes) {
    const std::size_t rows = args.rows - first < kLanes ? args.rows - first : kLanes;
    for (std::size_t r = 0; r < rows; ++r, p += args.w_row_bytes) {
      stream(p, r, w_end);
    }
    const auto mask = static_cast<__mmask16>((1U << rows) - 1U);
    _mm512_mask_storeu_ps(args.y + first, mask, finish());
  }
}

/// For a product with one token that FewTokens() says yes to.
template <typename Format>
void RunOneToken(const MatMulArgs& args) {
  static_assert(sizeof(OneTokenScratch) <= kScratchBytes);
  auto* scratch = static_cast<OneTokenScratch*>(args.scratch);
  const std::size_t blocks = args.cols / Format::kLength;
  const auto* x = static_cast<const BlockQ8K*>(args.x);
  for (std::size_t b = 0; b < blocks; ++b, x += args.x_slots) {
    Format::ReadActivations(*x, scratch->x[b][0]);
    const std::int16_t* sums = Format::kSubs == 16 ? x->sums : x->pair_sums;
    __builtin_memcpy(scratch->x_sums[b], sums, Format::kSubs * sizeof(*sums));
    scratch->x_d[b] = x->d;
  }
  StreamGroups(
      args,
      [blocks, scratch](const std::uint8_t* p, std::size_t r, const std::uint8_t* w_end) {
        StreamRow<Format>(p, blocks, r, w_end, scratch);
      },
      [blocks, scratch] { return FinishGroup<Format>(blocks, *scratch); });
}

}  // namespace
}  // namespace tandem::cpu
