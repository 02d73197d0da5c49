#include "kernels/cpu/avx2/quantize.h"

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace tandem::cpu {
namespace {

float MaxMagnitude(const float* x, std::size_t n) {
  const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
  __m256 max = _mm256_setzero_ps();
  for (std::size_t i = 0; i < n; i += 8) {
    // In this order a NaN of x is passed over, as in the scalar twin.
    max = _mm256_max_ps(_mm256_and_ps(_mm256_loadu_ps(x + i), magnitude), max);
  }
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(max), _mm256_extractf128_ps(max, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  m = _mm_max_ss(m, _mm_movehdup_ps(m));
  return _mm_cvtss_f32(m);
}

__m256i Round8(const float* x, __m256 inverse) {
  return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), inverse));
}

/// 32 values as bytes.
__m256i Round32(const float* x, __m256 inverse) {
  const __m256i low = _mm256_packs_epi32(Round8(x, inverse), Round8(x + 8, inverse));
  const __m256i high = _mm256_packs_epi32(Round8(x + 16, inverse), Round8(x + 24, inverse));
  // The packs work within 128-bit halves and leave groups of four in the order 0 2 4 6 1 3 5 7.
  return _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high),
                                     _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/// Sums of the low and of the high 16 bytes, in lanes 0 and 4 of the result.
__m256i HalfSums(__m256i q) {
  const __m256i words = _mm256_maddubs_epi16(_mm256_set1_epi8(1), q);
  __m256i sums = _mm256_madd_epi16(words, _mm256_set1_epi16(1));
  sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0x4E));
  return _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0xB1));
}

struct Scale {
  float d;
  float inverse;
};

Scale ScaleOfBlock(const float* x, std::size_t n) {
  const float max = MaxMagnitude(x, n);
  if (max < kTinyActivation) {
    return {0, 0};
  }
  return {max / 127.0F, 127.0F / max};
}

void QuantizeQ8K(const float* x, std::size_t n, BlockQ8K* out, std::size_t slots) {
  for (std::size_t b = 0; b < n / 256; ++b, x += 256, out += slots) {
    const Scale scale = ScaleOfBlock(x, 256);
    const __m256 inverse = _mm256_set1_ps(scale.inverse);
    out->d = scale.d;
    __m256i most = _mm256_setzero_si256();
    for (std::size_t s = 0; s < 8; ++s) {
      const __m256i q = Round32(x + 32 * s, inverse);
      _mm256_store_si256(reinterpret_cast<__m256i*>(out->q + 32 * s), q);
      const __m256i sums = HalfSums(q);
      const int low = _mm256_cvtsi256_si32(sums);
      const int high = _mm_cvtsi128_si32(_mm256_extracti128_si256(sums, 1));
      out->sums[2 * s] = static_cast<std::int16_t>(low);
      out->sums[2 * s + 1] = static_cast<std::int16_t>(high);
      out->pair_sums[s] = static_cast<std::int16_t>(low + high);
      most = _mm256_max_epi32(most, HalfSums(_mm256_abs_epi8(q)));
    }
    out->most = static_cast<std::int16_t>(_mm_cvtsi128_si32(
        _mm_max_epi32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1))));
  }
}

void QuantizeQ8x32(const float* x, std::size_t n, BlockQ8x32* out, std::size_t slots) {
  for (std::size_t b = 0; b < n / 32; ++b, x += 32, out += slots) {
    const Scale scale = ScaleOfBlock(x, 32);
    const __m256i q = Round32(x, _mm256_set1_ps(scale.inverse));
    const __m256i sums = HalfSums(q);
    out->d = scale.d;
    out->sum = _mm256_cvtsi256_si32(sums) + _mm_cvtsi128_si32(_mm256_extracti128_si256(sums, 1));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out->q), q);
  }
}

}  // namespace

void InstallAvx2Quantize(KernelTable* table) {
  table->quantize_q8k = &QuantizeQ8K;
  table->quantize_q8_0 = &QuantizeQ8x32;
}

}  // namespace tandem::cpu
