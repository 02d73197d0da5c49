#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

// The few vector operations that panel-inl.h is written in, for AVX2: one 32-bit lane per weight
// row.

namespace tandem::cpu {
namespace {

using IntVec = __m256i;
using FloatVec = __m256;
constexpr std::size_t kLanes = 8;
// maddubs saturates with unsigned codes above 127, so signed weights stay signed here and the dot
// product moves their sign to the activations.
constexpr int kSignedBias = 0;

inline IntVec And(IntVec a, IntVec b) {
  return _mm256_and_si256(a, b);
}
inline IntVec Or(IntVec a, IntVec b) {
  return _mm256_or_si256(a, b);
}
inline IntVec Xor(IntVec a, IntVec b) {
  return _mm256_xor_si256(a, b);
}
inline IntVec Add32(IntVec a, IntVec b) {
  return _mm256_add_epi32(a, b);
}
inline IntVec Sub32(IntVec a, IntVec b) {
  return _mm256_sub_epi32(a, b);
}
inline IntVec Add8(IntVec a, IntVec b) {
  return _mm256_add_epi8(a, b);
}
inline IntVec Splat8(int v) {
  return _mm256_set1_epi8(static_cast<char>(v));
}
inline IntVec Splat32(int v) {
  return _mm256_set1_epi32(v);
}
template <int kBits>
IntVec ShiftLeft32(IntVec v) {
  return _mm256_slli_epi32(v, kBits);
}
template <int kBits>
IntVec ShiftRight32(IntVec v) {
  return _mm256_srli_epi32(v, kBits);
}
/// The same 16 bytes in every 128-bit lane.
inline IntVec SplatTable(const void* table) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(table)));
}
/// table[code] for each byte; codes below 16.
inline IntVec LookUp(IntVec table, IntVec codes) {
  return _mm256_shuffle_epi8(table, codes);
}
/// Four bytes of memory in every lane.
inline IntVec SplatQuad(const void* p) {
  int v = 0;
  __builtin_memcpy(&v, p, sizeof(v));
  return _mm256_set1_epi32(v);
}
inline FloatVec ToFloat(IntVec v) {
  return _mm256_cvtepi32_ps(v);
}
inline FloatVec SplatFloat(float v) {
  return _mm256_set1_ps(v);
}
inline FloatVec Mul(FloatVec a, FloatVec b) {
  return _mm256_mul_ps(a, b);
}
inline FloatVec MulAdd(FloatVec a, FloatVec b, FloatVec c) {
  return _mm256_fmadd_ps(a, b, c);
}
inline FloatVec MulSub(FloatVec a, FloatVec b, FloatVec c) {
  return _mm256_fmsub_ps(a, b, c);
}
inline FloatVec LoadFloats(const float* p) {
  return _mm256_loadu_ps(p);
}
inline void StoreFloats(float* p, FloatVec v) {
  _mm256_storeu_ps(p, v);
}
/// sum + a.words[0] * b.words[0] + a.words[1] * b.words[1] in each lane.
inline IntVec DotPairs(IntVec sum, IntVec a, IntVec b) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}
/// Byte kByte of each lane, sign-extended, twice: what madd multiplies pair sums with.
template <int kByte>
IntVec ScaleOf(IntVec v) {
  constexpr char kA = static_cast<char>(kByte);
  constexpr char kB = static_cast<char>(kByte + 4);
  constexpr char kC = static_cast<char>(kByte + 8);
  constexpr char kD = static_cast<char>(kByte + 12);
  const __m256i pattern = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(-1, kA, -1, kA, -1, kB, -1, kB, -1, kC, -1, kC, -1, kD, -1, kD));
  return _mm256_srai_epi16(_mm256_shuffle_epi8(v, pattern), 8);
}
/// Bytes kByte and kByte + 1 of each lane, sign-extended to words.
template <int kByte>
IntVec PairOf(IntVec v) {
  constexpr char kA = static_cast<char>(kByte);
  constexpr char kB = static_cast<char>(kByte + 4);
  constexpr char kC = static_cast<char>(kByte + 8);
  constexpr char kD = static_cast<char>(kByte + 12);
  const __m256i pattern = _mm256_broadcastsi128_si256(_mm_setr_epi8(
      -1, kA, -1, kA + 1, -1, kB, -1, kB + 1, -1, kC, -1, kC + 1, -1, kD, -1, kD + 1));
  return _mm256_srai_epi16(_mm256_shuffle_epi8(v, pattern), 8);
}
/// The binary16 number in the low word of each lane.
inline FloatVec HalfOf(IntVec v) {
  const __m256i low = _mm256_and_si256(v, _mm256_set1_epi32(0xFFFF));
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, low), 0x08);
  return _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
}

struct Quads {
  IntVec v[4];
};

/// One block of each of kLanes rows, and the memory to fetch meanwhile.
struct Rows {
  const std::uint8_t* base[kLanes / 4];  // every fourth row: the others are 1, 2 or 3 strides on
  std::size_t stride;
  std::size_t stride3;
  const std::uint8_t* ahead;
};
inline Rows RowsAt(const std::uint8_t* p, std::size_t stride, const std::uint8_t* ahead) {
  return {{p, p + 4 * stride}, stride, 3 * stride, ahead};
}

/// 16 bytes of each row from `offset` on: v[i] holds bytes 4 i .. 4 i + 3, row r in lane r.
inline Quads LoadRows(const Rows& rows, std::size_t offset) {
  const auto load = [&rows](std::size_t from) {
    const auto* low = reinterpret_cast<const __m128i*>(rows.base[0] + from);
    const auto* high = reinterpret_cast<const __m128i*>(rows.base[1] + from);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(low)),
                                   _mm_loadu_si128(high), 1);
  };
  const __m256i row0 = load(offset);
  const __m256i row1 = load(offset + rows.stride);
  const __m256i row2 = load(offset + 2 * rows.stride);
  const __m256i row3 = load(offset + rows.stride3);
  const __m256i a = _mm256_unpacklo_epi32(row0, row1);
  const __m256i b = _mm256_unpacklo_epi32(row2, row3);
  const __m256i c = _mm256_unpackhi_epi32(row0, row1);
  const __m256i d = _mm256_unpackhi_epi32(row2, row3);
  return {{_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b), _mm256_unpacklo_epi64(c, d),
           _mm256_unpackhi_epi64(c, d)}};
}

/// LoadRows of 16 bytes that no other call reads, with as much memory fetched ahead: spread like
/// this, the fetches never fill the line buffers that the loads need.
inline Quads StreamRows(const Rows& rows, std::size_t offset) {
#pragma GCC unroll 4
  for (std::size_t line = 0; line < 16 * kLanes; line += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(rows.ahead + offset * kLanes + line), _MM_HINT_T0);
  }
  return LoadRows(rows, offset);
}

}  // namespace
}  // namespace tandem::cpu
