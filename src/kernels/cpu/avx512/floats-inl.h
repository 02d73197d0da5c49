#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/avx512/transpose-inl.h"

// The vector operations that kernels/cpu/simd/ is written in, for AVX-512. Everything has internal
// linkage (see kernel_table.h). Arithmetic on F32 and F64 uses the compilers' vector operators; a
// fused multiply-add is always asked for by name.

namespace tandem::cpu {
namespace {

using F32 = __m512;
using F64 = __m512d;
inline constexpr std::size_t kLanes = 16;
inline constexpr std::size_t kDoubleLanes = 8;
/// Vectors that SumEach adds up at once, and the accumulators that a kernel may keep in registers.
inline constexpr std::size_t kSums = 16;
/// Tokens of a tile two vectors wide, whose sums and operands fit the registers.
inline constexpr std::size_t kPanelTokens = 12;
/// Whether a core keeps chains of additions of several blocks under way, see float_matmul-inl.h.
inline constexpr bool kOneStream = true;

inline __mmask16 FirstLanes(std::size_t n) {
  return static_cast<__mmask16>((1U << n) - 1U);
}
inline F32 Zero() {
  return _mm512_setzero_ps();
}
inline F64 ZeroF64() {
  return _mm512_setzero_pd();
}
inline F32 Set(float x) {
  return _mm512_set1_ps(x);
}
inline F64 SetF64(double x) {
  return _mm512_set1_pd(x);
}
inline F32 Load(const float* p) {
  return _mm512_loadu_ps(p);
}
/// The first n < kLanes values, then zeros; reads nothing past them.
inline F32 LoadFirst(const float* p, std::size_t n) {
  return _mm512_maskz_loadu_ps(FirstLanes(n), p);
}
inline void Store(float* p, F32 v) {
  _mm512_storeu_ps(p, v);
}
inline void StoreFirst(float* p, F32 v, std::size_t n) {
  _mm512_mask_storeu_ps(p, FirstLanes(n), v);
}
/// Past the caches, for what is not read again soon; p is aligned to the vector. Other threads may
/// look after StreamFence().
inline void StoreStream(float* p, F32 v) {
  _mm512_stream_ps(p, v);
}
inline void StreamFence() {
  _mm_sfence();
}
/// a * b + c with one rounding.
inline F32 MulAdd(F32 a, F32 b, F32 c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline F64 MulAdd(F64 a, F64 b, F64 c) {
  return _mm512_fmadd_pd(a, b, c);
}
/// c - a * b with one rounding.
inline F32 NegMulAdd(F32 a, F32 b, F32 c) {
  return _mm512_fnmadd_ps(a, b, c);
}
inline F64 NegMulAdd(F64 a, F64 b, F64 c) {
  return _mm512_fnmadd_pd(a, b, c);
}
/// The larger; b when either is NaN.
inline F32 Max(F32 a, F32 b) {
  return _mm512_max_ps(a, b);
}
inline F32 Min(F32 a, F32 b) {
  return _mm512_min_ps(a, b);
}
inline F32 Abs(F32 v) {
  return _mm512_abs_ps(v);
}
inline F32 RoundToInt(F32 v) {
  return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/// v * 2^n for a whole n.
inline F32 ScaleByPower(F32 v, F32 n) {
  return _mm512_scalef_ps(v, n);
}
/// In each lane a where x < 0, else b.
inline F32 WhereNegative(F32 x, F32 a, F32 b) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), b, a);
}
/// In each lane 0 where x < limit, else v.
inline F32 ZeroBelow(F32 x, F32 limit, F32 v) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, limit, _CMP_NLT_UQ), v);
}

struct Doubles {
  F64 low;
  F64 high;
};
inline Doubles Widen(F32 v) {
  return {_mm512_cvtps_pd(_mm512_castps512_ps256(v)),
          _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1))};
}
inline F32 Narrow(F64 low, F64 high) {
  return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high), 1);
}

// The order of every sum over lanes: ((x0 + x2) + (x1 + x3)) in each group of four, then the groups
// 0 + 1, 2 + 3, and those two. SumLanes, SumEach and SumEight give the same bits for the same
// vector.
inline float SumLanes(F32 v) {
  v = v + _mm512_permute_ps(v, 0x4E);
  v = v + _mm512_permute_ps(v, 0xB1);
  v = v + _mm512_shuffle_f32x4(v, v, 0xB1);
  v = v + _mm512_shuffle_f32x4(v, v, 0x4E);
  return _mm512_cvtss_f32(v);
}
inline double SumLanes(F64 v) {
  v = v + _mm512_permute_pd(v, 0x55);
  v = v + _mm512_shuffle_f64x2(v, v, 0xB1);
  v = v + _mm512_shuffle_f64x2(v, v, 0x4E);
  return _mm512_cvtsd_f64(v);
}
inline float FirstLane(F32 v) {
  return _mm512_cvtss_f32(v);
}
inline float MaxLanes(F32 v) {
  v = Max(v, _mm512_permute_ps(v, 0x4E));
  v = Max(v, _mm512_permute_ps(v, 0xB1));
  v = Max(v, _mm512_shuffle_f32x4(v, v, 0xB1));
  v = Max(v, _mm512_shuffle_f32x4(v, v, 0x4E));
  return _mm512_cvtss_f32(v);
}

/// Four vectors' sums of each group of four lanes: lane 4 g + i holds group g of vector i.
inline F32 SumGroups(F32 a, F32 b, F32 c, F32 d) {
  const F32 ab = _mm512_unpacklo_ps(a, b) + _mm512_unpackhi_ps(a, b);
  const F32 cd = _mm512_unpacklo_ps(c, d) + _mm512_unpackhi_ps(c, d);
  return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd))) +
         _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd)));
}
/// Lane i is the sum of v[i].
inline F32 SumEach(const F32 (&v)[kSums]) {
  const F32 a = SumGroups(v[0], v[1], v[2], v[3]);
  const F32 b = SumGroups(v[4], v[5], v[6], v[7]);
  const F32 c = SumGroups(v[8], v[9], v[10], v[11]);
  const F32 d = SumGroups(v[12], v[13], v[14], v[15]);
  const F32 ab = _mm512_shuffle_f32x4(a, b, 0x88) + _mm512_shuffle_f32x4(a, b, 0xDD);
  const F32 cd = _mm512_shuffle_f32x4(c, d, 0x88) + _mm512_shuffle_f32x4(c, d, 0xDD);
  return _mm512_shuffle_f32x4(ab, cd, 0x88) + _mm512_shuffle_f32x4(ab, cd, 0xDD);
}

struct TwoFours {
  __m128 first;
  __m128 second;
};
/// The sums of a[0..3] and of b[0..3].
inline TwoFours SumEight(const F32 (&a)[4], const F32 (&b)[4]) {
  const F32 sum_a = SumGroups(a[0], a[1], a[2], a[3]);
  const F32 sum_b = SumGroups(b[0], b[1], b[2], b[3]);
  F32 v = _mm512_shuffle_f32x4(sum_a, sum_b, 0x88) + _mm512_shuffle_f32x4(sum_a, sum_b, 0xDD);
  v = v + _mm512_shuffle_f32x4(v, v, 0xB1);
  return {_mm512_castps512_ps128(v), _mm512_extractf32x4_ps(v, 2)};
}

/// v[i] lane j becomes v[j] lane i.
inline void Transpose(F32 (&v)[kLanes]) {
  __m512i bits[kLanes];
#pragma GCC unroll 16
  for (std::size_t i = 0; i < kLanes; ++i) {
    bits[i] = _mm512_castps_si512(v[i]);
  }
  Transpose(bits);
#pragma GCC unroll 16
  for (std::size_t i = 0; i < kLanes; ++i) {
    v[i] = _mm512_castsi512_ps(bits[i]);
  }
}

inline F32 LoadHalf(const void* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
}
inline F32 LoadBf16(const void* p) {
  const __m256i bits = _mm256_loadu_si256(static_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
inline F32 LoadInt8(const void* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))));
}
/// Codes of kLanes / 2 bytes, the lower half of a byte first, less 8.
inline F32 LoadInt4(const void* p) {
  const __m512i halves = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  const __m512i shifts =
      _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
  const __m512 values = _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7);
  const __m512i bytes = _mm512_permutexvar_epi32(halves, _mm512_castsi128_si512(_mm_loadu_si64(p)));
  return _mm512_permutexvar_ps(_mm512_srlv_epi32(bytes, shifts), values);  // the low 4 bits count
}
/// The lower or upper halves of kLanes bytes, less 8.
inline F32 LoadLowNibbles(const void* p) {
  const __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p)));
  return _mm512_cvtepi32_ps(
      _mm512_sub_epi32(_mm512_and_si512(bytes, _mm512_set1_epi32(15)), _mm512_set1_epi32(8)));
}
inline F32 LoadHighNibbles(const void* p) {
  const __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p)));
  return _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_srli_epi32(bytes, 4), _mm512_set1_epi32(8)));
}
/// Nearest even, NaN stays NaN: the bits of base/half.h.
inline void StoreHalf(void* p, F32 v) {
  _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
inline void StoreBf16(void* p, F32 v) {
  const __m512i bits = _mm512_castps_si512(v);
  const __m512i high = _mm512_srli_epi32(bits, 16);
  const __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_srli_epi32(
      _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF))), 16);
  const __mmask16 is_nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  const __m512i result = _mm512_mask_or_epi32(rounded, is_nan, high, _mm512_set1_epi32(64));
  _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_cvtepi32_epi16(result));
}
/// Rounds to nearest even; values must fit int8.
inline void StoreInt8(void* p, F32 v) {
  _mm_storeu_si128(static_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
}

}  // namespace
}  // namespace tandem::cpu
