#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/avx512/vec-inl.h"
#include "kernels/cpu/matmul-inl.h"
#include "kernels/cpu/panel-inl.h"

// Products with so few tokens that memory sets the pace: codes are used in the order in which a row
// has them, not transposed into a panel. Each 64 codes times 64 activations become words by
// maddubs, words times scales become sums by dpwssd. A row is read for many blocks on end, since
// the CPU fetches ahead by itself what is read in order, and does so faster than prefetch
// instructions can; the sums wait in memory until 16 rows have theirs and are then added up across
// lanes together. The integers S and M are exact, so the results have the bits of panel-inl.h.

namespace tandem::cpu {
namespace {

/// Tokens up to which there is a kernel. Against tiles it is as fast with all of them.
constexpr std::size_t kMostRowTokens = 8;

inline __m512i LoadBytes(const void* p) {
  return _mm512_loadu_si512(p);
}
/// 32 bytes twice.
inline __m512i LoadTwice(const void* p) {
  return _mm512_broadcast_i64x4(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
}
/// A different shift for the lower and the upper 256 bits; words, so the caller masks what crossed
/// into a neighbouring byte.
template <int kLower, int kUpper>
__m512i ShiftLeftHalves(__m512i v) {
  const __m512i counts =
      _mm512_inserti64x4(_mm512_set1_epi16(kLower), _mm256_set1_epi16(kUpper), 1);
  return _mm512_sllv_epi16(v, counts);
}
template <int kLower, int kUpper>
__m512i ShiftRightHalves(__m512i v) {
  const __m512i counts =
      _mm512_inserti64x4(_mm512_set1_epi16(kLower), _mm256_set1_epi16(kUpper), 1);
  return _mm512_srlv_epi16(v, counts);
}
/// (a & mask) | b.
inline __m512i MaskOr(__m512i a, __m512i mask, __m512i b) {
  return _mm512_ternarylogic_epi32(a, mask, b, 0xEA);
}
inline __m512i AddAcross32(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}
inline __m512i AddAcross64(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}
/// In each 128-bit lane the sums of that lane of the four vectors.
inline __m512i AddFour(__m512i a, __m512i b, __m512i c, __m512i d) {
  return AddAcross64(AddAcross32(a, b), AddAcross32(c, d));
}
/// The 16 sums of 16 vectors, from AddFour of each four of them.
inline __m512i AddLanes(const __m512i* v) {
  const auto add = [](__m512i a, __m512i b) {
    return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x44), _mm512_shuffle_i32x4(a, b, 0xEE));
  };
  const __m512i a = add(v[0], v[1]);  // lanes: halves of v[0], halves of v[1]
  const __m512i b = add(v[2], v[3]);
  return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xDD));
}

/// In every word of a 128-bit lane byte kA of that lane, zero-extended; kB in the upper two lanes.
template <int kA, int kB>
__m512i SpreadBytes(__m512i v) {
  constexpr auto kWord = [](int byte) { return static_cast<short>(0x8000 | byte); };
  const __m512i pattern =
      _mm512_inserti64x4(_mm512_set1_epi16(kWord(kA)), _mm256_set1_epi16(kWord(kB)), 1);
  return _mm512_shuffle_epi8(v, pattern);
}

/// The activations of each half of a block as two vectors, whose 128-bit lanes the numbers choose.
template <int kFirst, int kSecond>
void PairActivations(const BlockQ8K& x, __m512i* q) {
#pragma GCC unroll 2
  for (std::size_t half = 0; half < 2; ++half) {
    const __m512i a = LoadBytes(x.q + 128 * half);
    const __m512i b = LoadBytes(x.q + 128 * half + 64);
    q[2 * half] = _mm512_shuffle_i64x2(a, b, kFirst);
    q[2 * half + 1] = _mm512_shuffle_i64x2(a, b, kSecond);
  }
}

/// Q4_K and Q5_K.
template <typename Format>
struct K4Rows : Format {
  using Base = Format;

  static void ReadHeader(const Rows& rows, Header<Format>* header) {
    const Quads head = LoadRows(rows, 0);
    header->d = HalfOf(head.v[0]);
    header->min_d = HalfOf(ShiftRight32<16>(head.v[0]));
    SetPairs(MoveBits<6, 0, 0>(head.v[2]), 0, header->pairs);
    SetPairs(Or(HighNibbles(head.v[3]), MoveBits<2, 6, 4>(head.v[2])), 2, header->pairs);
  }
  /// Words of the scales that belong to the codes of ReadCodes.
  static void ReadScales(const std::uint8_t* p, __m512i* words) {
    std::uint32_t packed[3];
    __builtin_memcpy(packed, p + 4, sizeof(packed));
    const std::uint64_t low = packed[0] & 0x3F3F3F3FU;
    const std::uint64_t high = (packed[2] & 0x0F0F0F0FU) | ((packed[0] >> 2U) & 0x30303030U);
    const __m512i bytes = _mm512_set1_epi64(static_cast<long long>(low | high << 32U));
    words[0] = SpreadBytes<0, 2>(bytes);
    words[1] = SpreadBytes<1, 3>(bytes);
    words[2] = SpreadBytes<4, 6>(bytes);
    words[3] = SpreadBytes<5, 7>(bytes);
  }
  static void ReadActivations(const BlockQ8K& x, __m512i* q) { PairActivations<0x44, 0xEE>(x, q); }
};

/// Codes of vector i: 32 of one sub-block, then 32 of the next but one.
struct RowsQ4K : K4Rows<FormatQ4K> {
  static void ReadCodes(const std::uint8_t* p, __m512i* codes) {
#pragma GCC unroll 2
    for (std::size_t half = 0; half < 2; ++half) {
      const __m512i v = LoadBytes(p + 16 + 64 * half);
      codes[2 * half] = LowNibbles(v);
      codes[2 * half + 1] = HighNibbles(v);
    }
  }
};

struct RowsQ5K : K4Rows<FormatQ5K> {
  static void ReadCodes(const std::uint8_t* p, __m512i* codes) {
    const __m512i fifth = LoadTwice(p + 16);
    const __m512i bit = Splat8(16);
    const __m512i nibble = Splat8(15);
    const __m512i a = LoadBytes(p + 48);
    const __m512i b = LoadBytes(p + 112);
    codes[0] = MaskOr(a, nibble, And(ShiftLeftHalves<4, 2>(fifth), bit));
    codes[1] = MaskOr(ShiftRight32<4>(a), nibble, And(ShiftLeftHalves<3, 1>(fifth), bit));
    codes[2] = MaskOr(b, nibble, And(ShiftRightHalves<0, 2>(fifth), bit));
    codes[3] = MaskOr(ShiftRight32<4>(b), nibble, And(ShiftRightHalves<1, 3>(fifth), bit));
  }
};

struct RowsQ6K : FormatQ6K {
  using Base = FormatQ6K;

  static void ReadHeader(const Rows& rows, Header<FormatQ6K>* header) {
    const Quads scales = LoadRows(rows, 192);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      SetPairs(scales.v[i], 2 * i, header->pairs);
    }
    header->d = HalfOf(ShiftRight32<16>(LoadRows(rows, 194).v[3]));
  }
  static void ReadScales(const std::uint8_t* p, __m512i* words) {
    const __m512i all = _mm512_castsi256_si512(
        _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 192))));
    const __m512i lane = _mm512_inserti64x4(
        _mm512_castsi256_si512(_mm256_setr_m128i(_mm_set1_epi16(0), _mm_set1_epi16(1))),
        _mm256_setr_m128i(_mm_set1_epi16(2), _mm_set1_epi16(3)), 1);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      words[i] = _mm512_permutexvar_epi16(
          _mm512_add_epi16(lane, _mm512_set1_epi16(static_cast<short>(4 * i))), all);
    }
  }
  static void ReadCodes(const std::uint8_t* p, __m512i* codes) {
    const __m512i nibble = Splat8(15);
    const __m512i top = Splat8(0x30);
#pragma GCC unroll 2
    for (std::size_t half = 0; half < 2; ++half) {
      const __m512i low = LoadBytes(p + 64 * half);
      const __m512i high = LoadTwice(p + 128 + 32 * half);
      codes[2 * half] = MaskOr(low, nibble, And(ShiftLeftHalves<4, 2>(high), top));
      codes[2 * half + 1] =
          MaskOr(ShiftRight32<4>(low), nibble, And(ShiftRightHalves<0, 2>(high), top));
    }
  }
  static void ReadActivations(const BlockQ8K& x, __m512i* q) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      q[i] = LoadBytes(x.q + 64 * i);
    }
  }
};

/// Weight rows that are read side by side, a quarter of a group apart: more streams than one keep
/// memory busy, and pages apart the CPU tells them from each other.
constexpr std::size_t kStreams = 4;
constexpr std::size_t kStreamRows = kLanes / kStreams;
/// Bytes between a fetch and its use.
constexpr std::size_t kFetchBytes = 2048;

template <typename Format, std::size_t kTokens>
struct RowScratch {
  static constexpr std::size_t kMostBlocks = 128;

  __m512i x[kMostBlocks][kTokens][4];  // as ReadActivations gives them
  // S of the rows being read, and of the group before: AddFour of row i of all streams.
  __m512i sums[2][kMostBlocks][kTokens][kStreamRows];
  alignas(64) float acc[kTokens][kLanes];
  alignas(64) std::uint8_t rows[kLanes * sizeof(typename Format::Block)];
};

template <std::size_t kBytes>
void FetchLines(const std::uint8_t* p) {
#pragma GCC unroll 4
  for (std::size_t line = 0; line < kBytes; line += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(p + line), _MM_HINT_T0);
  }
}

/// S of one block for each token, spread over 16 lanes.
template <typename Format, std::size_t kTokens>
void SumBlock(const std::uint8_t* p, const __m512i (*x)[4], __m512i* sums) {
  __m512i codes[4];
  __m512i scales[4];
  Format::ReadCodes(p, codes);
  Format::ReadScales(p, scales);
#pragma GCC unroll 8
  for (std::size_t t = 0; t < kTokens; ++t) {
    __m512i sum = _mm512_setzero_si512();
#pragma GCC unroll 4
    for (std::size_t v = 0; v < 4; ++v) {
      sum = _mm512_dpwssd_epi32(sum, _mm512_maddubs_epi16(codes[v], x[t][v]), scales[v]);
    }
    sums[t] = sum;
  }
}

/// S of all blocks of row i of each stream. streams[s]: its row 0; a stream's rows from `rows[s]`
/// on are not there.
template <typename Format, std::size_t kTokens>
void SumStreams(const std::uint8_t* w, std::size_t stride, std::size_t blocks, std::size_t i,
                std::size_t rows, const std::uint8_t* w_end, RowScratch<Format, kTokens>* scratch,
                std::size_t turn) {
  constexpr std::size_t kBytes = sizeof(typename Format::Block);
  const std::uint8_t* p[kStreams];
#pragma GCC unroll 4
  for (std::size_t s = 0; s < kStreams; ++s) {
    const std::size_t row = s * kStreamRows + i;
    p[s] = w + (row < rows ? row : 0) * stride;  // any row will do: its result is not stored
  }
  const std::size_t left = (kStreamRows - i) * stride;  // bytes of a stream from this row on
  for (std::size_t b = 0; b < blocks; ++b) {
    std::size_t ahead = kFetchBytes;
    if (b * kBytes + ahead >= left) {  // goes on in the stream's part of the next group
      ahead += (kLanes - kStreamRows) * stride;
    }
    if (p[kStreams - 1] + ahead + kBytes > w_end) {
      ahead = 0;
    }
    __m512i sums[kStreams][kTokens];
#pragma GCC unroll 4
    for (std::size_t s = 0; s < kStreams; ++s) {
      FetchLines<kBytes>(p[s] + ahead);
      SumBlock<Format, kTokens>(p[s], scratch->x[b], sums[s]);
      p[s] += kBytes;
    }
#pragma GCC unroll 8
    for (std::size_t t = 0; t < kTokens; ++t) {
      scratch->sums[turn][b][t][i] = AddFour(sums[0][t], sums[1][t], sums[2][t], sums[3][t]);
    }
  }
}

/// One block of 16 rows added to the rows' results. Lane 4 i + s is row i of stream s.
template <typename Format, std::size_t kTokens>
void FinishBlock(const MatMulArgs& args, std::size_t first, std::size_t b, std::size_t turn,
                 RowScratch<Format, kTokens>* scratch) {
  using Base = typename Format::Base;
  constexpr std::size_t kBytes = sizeof(typename Format::Block);
  const std::size_t rows = args.rows - first < kLanes ? args.rows - first : kLanes;
  std::size_t stride = args.w_row_bytes;
  const std::uint8_t* p = static_cast<const std::uint8_t*>(args.w) + first * stride + b * kBytes;
  if (rows < kLanes) {
    Gather(p, stride, rows, kBytes, scratch->rows);
    p = scratch->rows;
    stride = kBytes;
  }
  const Rows at = {{p, p + stride, p + 2 * stride, p + 3 * stride},
                   kStreamRows * stride,
                   3 * kStreamRows * stride,
                   p};
  Header<Base> header;
  Format::ReadHeader(at, &header);
  const auto* x = static_cast<const BlockQ8K*>(args.x) + b * args.x_slots;
#pragma GCC unroll 8
  for (std::size_t t = 0; t < kTokens; ++t) {
    const __m512i sum = AddLanes(scratch->sums[turn][b][t]);
    FinishSuper<Base>(header, x[t], RemoveBias<Base>(header, x[t], sum), scratch->acc[t]);
  }
}

/// Stores the results of a group.
template <typename Format, std::size_t kTokens>
void StoreRows(const MatMulArgs& args, std::size_t first, RowScratch<Format, kTokens>* scratch) {
  const std::size_t rows = args.rows - first < kLanes ? args.rows - first : kLanes;
  const auto mask = static_cast<__mmask16>((1U << rows) - 1U);
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  for (std::size_t t = 0; t < kTokens; ++t) {
    _mm512_mask_storeu_ps(args.y + t * args.y_stride + first, mask,
                          _mm512_permutexvar_ps(order, LoadFloats(scratch->acc[t])));
  }
}

template <typename Format, std::size_t kTokens>
void RunRowsOf(const MatMulArgs& args) {
  using Scratch = RowScratch<Format, kTokens>;
  static_assert(sizeof(Scratch) <= kScratchBytes);
  auto* scratch = static_cast<Scratch*>(args.scratch);
  const std::size_t blocks = args.cols / Format::kLength;
  const auto* x = static_cast<const BlockQ8K*>(args.x);
  for (std::size_t b = 0; b < blocks; ++b, x += args.x_slots) {
    for (std::size_t t = 0; t < kTokens; ++t) {
      Format::ReadActivations(x[t], scratch->x[b][t]);
    }
  }
  // A group of rows is finished bit by bit while the next one is read, so that memory never waits.
  const std::size_t groups = (args.rows + kLanes - 1) / kLanes;
  for (std::size_t g = 0; g <= groups; ++g) {
    const std::size_t first = g * kLanes;
    __builtin_memset(scratch->acc, 0, sizeof(scratch->acc));
    std::size_t b = 0;
    for (std::size_t i = 0; i < kStreamRows; ++i) {
      if (g < groups) {
        const auto* w = static_cast<const std::uint8_t*>(args.w) + first * args.w_row_bytes;
        SumStreams<Format, kTokens>(w, args.w_row_bytes, blocks, i, args.rows - first,
                                    static_cast<const std::uint8_t*>(args.w_end), scratch, g % 2);
      }
      for (; g > 0 && b < blocks * (i + 1) / kStreamRows; ++b) {
        FinishBlock<Format, kTokens>(args, first - kLanes, b, 1 - g % 2, scratch);
      }
    }
    if (g > 0) {
      StoreRows<Format, kTokens>(args, first - kLanes, scratch);
    }
  }
}

/// Whether RunRows can take the product and has at most `most` tokens.
inline bool FewTokens(const MatMulArgs& args, std::size_t most) {
  return args.tokens <= most && args.cols <= 256 * RowScratch<RowsQ4K, 1>::kMostBlocks;
}

/// For products that FewTokens() says yes to.
template <typename Format>
void RunRows(const MatMulArgs& args) {
  switch (args.tokens) {
    case 1:
      return RunRowsOf<Format, 1>(args);
    case 2:
      return RunRowsOf<Format, 2>(args);
    case 3:
      return RunRowsOf<Format, 3>(args);
    case 4:
      return RunRowsOf<Format, 4>(args);
    case 5:
      return RunRowsOf<Format, 5>(args);
    case 6:
      return RunRowsOf<Format, 6>(args);
    case 7:
      return RunRowsOf<Format, 7>(args);
    default:
      return RunRowsOf<Format, kMostRowTokens>(args);
  }
}

}  // namespace
}  // namespace tandem::cpu
