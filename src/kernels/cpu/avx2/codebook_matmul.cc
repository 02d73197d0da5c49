#include "kernels/cpu/avx2/codebook_rows-inl.h"
#include "kernels/cpu/avx2/dot-inl.h"
#include "kernels/cpu/avx2/matmul.h"
#include "kernels/cpu/matmul-inl.h"
#include "kernels/cpu/mxfp4-inl.h"

namespace tandem::cpu {
namespace {

// With few tokens the codes are multiplied in the order of the row: expanding a panel would cost
// more than it saves. S and M are exact, so the results have the bits of panel-inl.h.

/// Tokens up to which this is faster than panels.
constexpr std::size_t kMostRowTokens = 4;

template <typename Format>
struct RowScratch {
  alignas(64) float acc[kMostRowTokens][kLanes];
  typename Format::Row blocks[kLanes];          // of the rows
  alignas(64) std::uint32_t scales[8][kLanes];  // for each 32 codes
  alignas(64) std::uint8_t rows[kLanes * sizeof(typename Format::Block)];
};

/// What ScalesOf() takes for each 32 codes: both scales of 16 codes, or one twice.
template <typename Format>
void StoreScales(const IntVec* pairs, RowScratch<Format>* scratch) {
  const auto store = [scratch](std::size_t v, IntVec scales) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(scratch->scales[v]), scales);
  };
#pragma GCC unroll 8
  for (std::size_t i = 0; i < Format::kSubs / 2; ++i) {
    if constexpr (Format::kSubs == 16) {
      store(i, pairs[i]);
    } else {
      store(2 * i, Format::FirstScale(pairs[i]));
      store(2 * i + 1, Format::SecondScale(pairs[i]));
    }
  }
}

/// Words for madd from a number of StoreScales().
template <typename Format>
__m256i ScalesOf(const std::uint32_t* scales) {
  const __m256i all = SplatQuad(scales);
  if constexpr (Format::kSubs == 16) {
    const __m256i words = _mm256_setr_m128i(_mm_set1_epi16(0x0100), _mm_set1_epi16(0x0302));
    return _mm256_shuffle_epi8(all, words);
  } else {
    return all;
  }
}

/// Each lane: the sum of the eight numbers of one vector.
inline __m256i AddEight(const __m256i* v) {
  const __m256i a = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
  const __m256i b = _mm256_hadd_epi32(_mm256_hadd_epi32(v[4], v[5]), _mm256_hadd_epi32(v[6], v[7]));
  return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20),
                          _mm256_permute2x128_si256(a, b, 0x31));
}

/// 32 codes times 32 activations, in words.
template <typename Format>
__m256i Products(const typename Format::Row& row, std::size_t v, __m256i codes, __m256i x) {
  if constexpr (Format::kSigned) {
    return _mm256_maddubs_epi16(codes, _mm256_sign_epi8(x, row.Signs(v)));
  } else {
    return _mm256_maddubs_epi16(codes, x);
  }
}

/// S of row r of a block for each token, spread over the lanes of sums[t][r].
template <typename Format, std::size_t kTokens>
void SumRow(const RowScratch<Format>& scratch, std::size_t r, const BlockQ8K* x,
            __m256i (*sums)[kLanes]) {
  const typename Format::Row& row = scratch.blocks[r];
  __m256i sum[kTokens] = {};
#pragma GCC unroll 8
  for (std::size_t v = 0; v < 8; ++v) {
    const __m256i codes = row.Codes(v);
#pragma GCC unroll 4
    for (std::size_t t = 0; t < kTokens; ++t) {
      const __m256i words = Products<Format>(row, v, codes, LoadVec(x[t].q + 32 * v));
      if constexpr (Format::kUnitScales) {
        static_assert(kFit<Format> >= 8);
        sum[t] = _mm256_add_epi16(sum[t], words);
      } else {
        const __m256i scales = ScalesOf<Format>(scratch.scales[v] + r);
        sum[t] = _mm256_add_epi32(sum[t], _mm256_madd_epi16(words, scales));
      }
    }
  }
#pragma GCC unroll 4
  for (std::size_t t = 0; t < kTokens; ++t) {
    sums[t][r] = Format::kUnitScales ? _mm256_madd_epi16(sum[t], _mm256_set1_epi16(1)) : sum[t];
  }
}

/// One block of kLanes rows, added to their results.
template <typename Format, std::size_t kTokens>
void AddBlock(const Rows& rows, const BlockQ8K* x, RowScratch<Format>* scratch) {
  Header<Format> header;
  Format::ReadScalePairs(rows, &header);
  if constexpr (!Format::kUnitScales) {
    StoreScales(header.pairs, scratch);
  }
  Format::ScalesToBias(rows, &header);
  // What is read of the blocks waits in memory: taken at once, what was stored as a vector and is
  // loaded in parts would be late.
  for (std::size_t r = 0; r < kLanes; ++r) {
    scratch->blocks[r].Read(rows.base[r / 4] + (r % 4) * rows.stride);
  }
  __m256i sums[kTokens][kLanes];
  for (std::size_t r = 0; r < kLanes; ++r) {
    SumRow<Format, kTokens>(*scratch, r, x, sums);
  }
#pragma GCC unroll 4
  for (std::size_t t = 0; t < kTokens; ++t) {
    const __m256i s = RemoveBias(header, x[t], AddEight(sums[t]));
    FinishSuper(header, x[t], s, scratch->acc[t]);
  }
}

/// Fetches what lies behind these rows while block b of them is worked on: rows are short, and the
/// CPU by itself would learn each one's stream anew.
template <typename Format>
void FetchAhead(const MatMulArgs& args, std::size_t row, std::size_t b) {
  constexpr std::size_t kBytes = kLanes * sizeof(typename Format::Block);
  const auto* ahead =
      static_cast<const std::uint8_t*>(args.w) + (row + kLanes) * args.w_row_bytes + b * kBytes;
  if (ahead + kBytes <= args.w_end) {
#pragma GCC unroll 16
    for (std::size_t line = 0; line < kBytes; line += 64) {
      _mm_prefetch(reinterpret_cast<const char*>(ahead + line), _MM_HINT_T0);
    }
  }
}

template <typename Format, std::size_t kTokens>
void RunRowsOf(const MatMulArgs& args) {
  constexpr std::size_t kBytes = sizeof(typename Format::Block);
  static_assert(sizeof(RowScratch<Format>) <= kScratchBytes);
  auto* scratch = static_cast<RowScratch<Format>*>(args.scratch);
  for (std::size_t row = 0; row < args.rows; row += kLanes) {
    const std::size_t count = args.rows - row < kLanes ? args.rows - row : kLanes;
    const auto* p = static_cast<const std::uint8_t*>(args.w) + row * args.w_row_bytes;
    const auto* x = static_cast<const BlockQ8K*>(args.x);
    for (std::size_t t = 0; t < kTokens; ++t) {
      StoreFloats(scratch->acc[t], SplatFloat(0));
    }
    for (std::size_t b = 0; b < args.cols / Format::kLength; ++b, p += kBytes, x += args.x_slots) {
      FetchAhead<Format>(args, row, b);
      if (count < kLanes) {
        Gather(p, args.w_row_bytes, count, kBytes, scratch->rows);
        AddBlock<Format, kTokens>(RowsAt(scratch->rows, kBytes, p), x, scratch);
      } else {
        AddBlock<Format, kTokens>(RowsAt(p, args.w_row_bytes, p), x, scratch);
      }
    }
    for (std::size_t t = 0; t < kTokens; ++t) {
      __builtin_memcpy(args.y + t * args.y_stride + row, scratch->acc[t], count * sizeof(float));
    }
  }
}

template <typename Decoder>
void RunCodebook(const MatMulArgs& args) {
  using Format = ByRows<WithCodes<Decoder>>;
  switch (args.tokens) {
    case 1:
      return RunRowsOf<Format, 1>(args);
    case 2:
      return RunRowsOf<Format, 2>(args);
    case 3:
      return RunRowsOf<Format, 3>(args);
    case kMostRowTokens:
      return RunRowsOf<Format, kMostRowTokens>(args);
    default:
      return RunMatMul<SuperKernel<Format>>(args);
  }
}

template <typename Decoder>
void Install(KernelTable* table) {
  table->matmul[Decoder::kType] = {Activation::kQ8K, &RunCodebook<Decoder>};
}

}  // namespace

void InstallAvx2CodebookMatMul(KernelTable* table) {
  Install<DecoderIQ1S>(table);
  Install<DecoderIQ1M>(table);
  Install<DecoderIQ2XXS>(table);
  Install<DecoderIQ2XS>(table);
  Install<DecoderIQ2S>(table);
  Install<DecoderIQ3XXS>(table);
  Install<DecoderIQ3S>(table);
  Install<DecoderTQ1>(table);
  Install<DecoderTQ2>(table);
  table->matmul[FormatMXFP4::kType] = {Activation::kQ8_0, &RunMatMul<Kernel32<FormatMXFP4>>};
}

}  // namespace tandem::cpu
