#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

// The vector operations that kernels/cpu/simd/ is written in, for AVX2 with FMA and F16C.
// Everything has internal linkage (see kernel_table.h). Arithmetic on F32 and F64 uses the
// compilers' vector operators; a fused multiply-add is always asked for by name.

namespace tandem::cpu {
namespace {

using F32 = __m256;
using F64 = __m256d;
inline constexpr std::size_t kLanes = 8;
inline constexpr std::size_t kDoubleLanes = 4;
/// Vectors that SumEach adds up at once, and the accumulators that a kernel may keep in registers.
inline constexpr std::size_t kSums = 8;
/// Tokens of a tile two vectors wide, whose sums and operands fit the registers.
inline constexpr std::size_t kPanelTokens = 6;
/// Whether a core keeps chains of additions of several blocks under way, see float_matmul-inl.h.
inline constexpr bool kOneStream = false;

inline __m256i FirstLanes(std::size_t n) {
  alignas(32) static constexpr std::int32_t kMask[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMask + 8 - n));
}
inline F32 Zero() {
  return _mm256_setzero_ps();
}
inline F64 ZeroF64() {
  return _mm256_setzero_pd();
}
inline F32 Set(float x) {
  return _mm256_set1_ps(x);
}
inline F64 SetF64(double x) {
  return _mm256_set1_pd(x);
}
inline F32 Load(const float* p) {
  return _mm256_loadu_ps(p);
}
/// The first n < kLanes values, then zeros; reads nothing past them.
inline F32 LoadFirst(const float* p, std::size_t n) {
  return _mm256_maskload_ps(p, FirstLanes(n));
}
inline void Store(float* p, F32 v) {
  _mm256_storeu_ps(p, v);
}
inline void StoreFirst(float* p, F32 v, std::size_t n) {
  _mm256_maskstore_ps(p, FirstLanes(n), v);
}
/// Past the caches, for what is not read again soon; p is aligned to the vector. Other threads may
/// look after StreamFence().
inline void StoreStream(float* p, F32 v) {
  _mm256_stream_ps(p, v);
}
inline void StreamFence() {
  _mm_sfence();
}
/// a * b + c with one rounding.
inline F32 MulAdd(F32 a, F32 b, F32 c) {
  return _mm256_fmadd_ps(a, b, c);
}
inline F64 MulAdd(F64 a, F64 b, F64 c) {
  return _mm256_fmadd_pd(a, b, c);
}
/// c - a * b with one rounding.
inline F32 NegMulAdd(F32 a, F32 b, F32 c) {
  return _mm256_fnmadd_ps(a, b, c);
}
inline F64 NegMulAdd(F64 a, F64 b, F64 c) {
  return _mm256_fnmadd_pd(a, b, c);
}
/// The larger; b when either is NaN.
inline F32 Max(F32 a, F32 b) {
  return _mm256_max_ps(a, b);
}
inline F32 Min(F32 a, F32 b) {
  return _mm256_min_ps(a, b);
}
inline F32 Abs(F32 v) {
  return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), v);
}
inline F32 RoundToInt(F32 v) {
  return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/// v * 2^n for a whole n in [-250, 250].
inline F32 ScaleByPower(F32 v, F32 n) {
  // Two factors, because 2^n itself may lie outside the range of a float.
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256i a = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  const __m256i b = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
  return v * _mm256_castsi256_ps(a) * _mm256_castsi256_ps(b);
}
/// In each lane a where x < 0, else b.
inline F32 WhereNegative(F32 x, F32 a, F32 b) {
  return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ));
}
/// In each lane 0 where x < limit, else v.
inline F32 ZeroBelow(F32 x, F32 limit, F32 v) {
  return _mm256_and_ps(_mm256_cmp_ps(x, limit, _CMP_NLT_UQ), v);
}

struct Doubles {
  F64 low;
  F64 high;
};
inline Doubles Widen(F32 v) {
  return {_mm256_cvtps_pd(_mm256_castps256_ps128(v)), _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1))};
}
inline F32 Narrow(F64 low, F64 high) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(low)), _mm256_cvtpd_ps(high),
                              1);
}

// The order of every sum over lanes: ((x0 + x2) + (x1 + x3)) in each group of four, then the two
// groups. SumLanes, SumEach and SumEight give the same bits for the same vector.
inline float SumLanes(F32 v) {
  v = v + _mm256_permute_ps(v, 0x4E);
  v = v + _mm256_permute_ps(v, 0xB1);
  v = v + _mm256_permute2f128_ps(v, v, 0x01);
  return _mm256_cvtss_f32(v);
}
inline double SumLanes(F64 v) {
  v = v + _mm256_permute_pd(v, 0x5);
  v = v + _mm256_permute2f128_pd(v, v, 0x01);
  return _mm256_cvtsd_f64(v);
}
inline float FirstLane(F32 v) {
  return _mm256_cvtss_f32(v);
}
inline float MaxLanes(F32 v) {
  v = Max(v, _mm256_permute_ps(v, 0x4E));
  v = Max(v, _mm256_permute_ps(v, 0xB1));
  v = Max(v, _mm256_permute2f128_ps(v, v, 0x01));
  return _mm256_cvtss_f32(v);
}

/// Four vectors' sums of each group of four lanes: lane 4 g + i holds group g of vector i.
inline F32 SumGroups(F32 a, F32 b, F32 c, F32 d) {
  const F32 ab = _mm256_unpacklo_ps(a, b) + _mm256_unpackhi_ps(a, b);
  const F32 cd = _mm256_unpacklo_ps(c, d) + _mm256_unpackhi_ps(c, d);
  return _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(ab), _mm256_castps_pd(cd))) +
         _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(ab), _mm256_castps_pd(cd)));
}
inline F32 SumHalves(F32 a, F32 b) {
  return _mm256_permute2f128_ps(a, b, 0x20) + _mm256_permute2f128_ps(a, b, 0x31);
}
/// Lane i is the sum of v[i].
inline F32 SumEach(const F32 (&v)[kSums]) {
  return SumHalves(SumGroups(v[0], v[1], v[2], v[3]), SumGroups(v[4], v[5], v[6], v[7]));
}

struct TwoFours {
  __m128 first;
  __m128 second;
};
/// The sums of a[0..3] and of b[0..3].
inline TwoFours SumEight(const F32 (&a)[4], const F32 (&b)[4]) {
  const F32 v = SumHalves(SumGroups(a[0], a[1], a[2], a[3]), SumGroups(b[0], b[1], b[2], b[3]));
  return {_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)};
}

/// v[i] lane j becomes v[j] lane i.
inline void Transpose(F32 (&v)[kLanes]) {
  F32 fours[kLanes];  // 4 g + i: lane group L holds lane 4 L + i of v[4 g ... 4 g + 3]
#pragma GCC unroll 2
  for (std::size_t g = 0; g < kLanes; g += 4) {
    const __m256d ab_low = _mm256_castps_pd(_mm256_unpacklo_ps(v[g], v[g + 1]));
    const __m256d cd_low = _mm256_castps_pd(_mm256_unpacklo_ps(v[g + 2], v[g + 3]));
    const __m256d ab_high = _mm256_castps_pd(_mm256_unpackhi_ps(v[g], v[g + 1]));
    const __m256d cd_high = _mm256_castps_pd(_mm256_unpackhi_ps(v[g + 2], v[g + 3]));
    fours[g] = _mm256_castpd_ps(_mm256_unpacklo_pd(ab_low, cd_low));
    fours[g + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(ab_low, cd_low));
    fours[g + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(ab_high, cd_high));
    fours[g + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(ab_high, cd_high));
  }
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    v[i] = _mm256_permute2f128_ps(fours[i], fours[4 + i], 0x20);
    v[4 + i] = _mm256_permute2f128_ps(fours[i], fours[4 + i], 0x31);
  }
}

inline F32 LoadHalf(const void* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p)));
}
inline F32 LoadBf16(const void* p) {
  const __m128i bits = _mm_loadu_si128(static_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
inline F32 LoadInt8(const void* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadu_si64(p)));
}
/// Codes of kLanes / 2 bytes, the lower half of a byte first, less 8.
inline F32 LoadInt4(const void* p) {
  std::int32_t bytes = 0;
  __builtin_memcpy(&bytes, p, sizeof(bytes));
  const __m256i shifts = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
  const __m256i codes =
      _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32(bytes), shifts), _mm256_set1_epi32(15));
  return _mm256_cvtepi32_ps(_mm256_sub_epi32(codes, _mm256_set1_epi32(8)));
}
/// The lower or upper halves of kLanes bytes, less 8.
inline F32 LoadLowNibbles(const void* p) {
  const __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadu_si64(p));
  return _mm256_cvtepi32_ps(
      _mm256_sub_epi32(_mm256_and_si256(bytes, _mm256_set1_epi32(15)), _mm256_set1_epi32(8)));
}
inline F32 LoadHighNibbles(const void* p) {
  const __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadu_si64(p));
  return _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_srli_epi32(bytes, 4), _mm256_set1_epi32(8)));
}
/// Nearest even, NaN stays NaN: the bits of base/half.h.
inline void StoreHalf(void* p, F32 v) {
  _mm_storeu_si128(static_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
/// The low words of the eight lanes.
inline __m128i LowWords(__m256i v) {
  const __m256i low = _mm256_and_si256(v, _mm256_set1_epi32(0xFFFF));
  return _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
}
inline void StoreBf16(void* p, F32 v) {
  const __m256i bits = _mm256_castps_si256(v);
  const __m256i high = _mm256_srli_epi32(bits, 16);
  const __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_srli_epi32(
      _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF))), 16);
  const __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(64));
  const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  _mm_storeu_si128(static_cast<__m128i*>(p), LowWords(_mm256_blendv_epi8(rounded, quiet, is_nan)));
}
/// Rounds to nearest even; values must fit int8.
inline void StoreInt8(void* p, F32 v) {
  const __m128i words = LowWords(_mm256_cvtps_epi32(v));
  _mm_storeu_si64(p, _mm_packs_epi16(words, words));
}

}  // namespace
}  // namespace tandem::cpu
