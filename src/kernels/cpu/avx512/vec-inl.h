#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

// The few vector operations that panel-inl.h is written in, for AVX-512 with VNNI: one 32-bit lane
// per weight row.

namespace tandem::cpu {
namespace {

using IntVec = __m512i;
using FloatVec = __m512;
constexpr std::size_t kLanes = 16;
// dpbusd wants unsigned weights: signed ones get 128 added, which the sums of the activations take
// out again.
constexpr int kSignedBias = 128;

inline IntVec And(IntVec a, IntVec b) {
  return _mm512_and_si512(a, b);
}
inline IntVec Or(IntVec a, IntVec b) {
  return _mm512_or_si512(a, b);
}
inline IntVec Xor(IntVec a, IntVec b) {
  return _mm512_xor_si512(a, b);
}
inline IntVec Add32(IntVec a, IntVec b) {
  return _mm512_add_epi32(a, b);
}
inline IntVec Sub32(IntVec a, IntVec b) {
  return _mm512_sub_epi32(a, b);
}
inline IntVec Add8(IntVec a, IntVec b) {
  return _mm512_add_epi8(a, b);
}
inline IntVec Splat8(int v) {
  return _mm512_set1_epi8(static_cast<char>(v));
}
inline IntVec Splat32(int v) {
  return _mm512_set1_epi32(v);
}
template <int kBits>
IntVec ShiftLeft32(IntVec v) {
  return _mm512_slli_epi32(v, kBits);
}
template <int kBits>
IntVec ShiftRight32(IntVec v) {
  return _mm512_srli_epi32(v, kBits);
}
/// The same 16 bytes in every 128-bit lane.
inline IntVec SplatTable(const void* table) {
  return _mm512_broadcast_i32x4(_mm_loadu_si128(static_cast<const __m128i*>(table)));
}
/// table[code] for each byte; codes below 16.
inline IntVec LookUp(IntVec table, IntVec codes) {
  return _mm512_shuffle_epi8(table, codes);
}
/// Four bytes of memory in every lane.
inline IntVec SplatQuad(const void* p) {
  int v = 0;
  __builtin_memcpy(&v, p, sizeof(v));
  return _mm512_set1_epi32(v);
}
inline FloatVec ToFloat(IntVec v) {
  return _mm512_cvtepi32_ps(v);
}
inline FloatVec SplatFloat(float v) {
  return _mm512_set1_ps(v);
}
inline FloatVec Mul(FloatVec a, FloatVec b) {
  return _mm512_mul_ps(a, b);
}
inline FloatVec MulAdd(FloatVec a, FloatVec b, FloatVec c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline FloatVec MulSub(FloatVec a, FloatVec b, FloatVec c) {
  return _mm512_fmsub_ps(a, b, c);
}
inline FloatVec LoadFloats(const float* p) {
  return _mm512_loadu_ps(p);
}
inline void StoreFloats(float* p, FloatVec v) {
  _mm512_storeu_ps(p, v);
}
/// sum + a.words[0] * b.words[0] + a.words[1] * b.words[1] in each lane.
inline IntVec DotPairs(IntVec sum, IntVec a, IntVec b) {
  return _mm512_dpwssd_epi32(sum, a, b);
}
/// Byte kByte of each lane, sign-extended.
template <int kByte>
IntVec ScaleOf(IntVec v) {
  return _mm512_srai_epi32(_mm512_slli_epi32(v, 24 - 8 * kByte), 24);
}
/// Bytes kByte and kByte + 1 of each lane, sign-extended to words.
template <int kByte>
IntVec PairOf(IntVec v) {
  constexpr char kA = static_cast<char>(kByte);
  constexpr char kB = static_cast<char>(kByte + 4);
  constexpr char kC = static_cast<char>(kByte + 8);
  constexpr char kD = static_cast<char>(kByte + 12);
  const __m512i pattern = _mm512_broadcast_i32x4(_mm_setr_epi8(
      -1, kA, -1, kA + 1, -1, kB, -1, kB + 1, -1, kC, -1, kC + 1, -1, kD, -1, kD + 1));
  return _mm512_srai_epi16(_mm512_shuffle_epi8(v, pattern), 8);
}
/// The binary16 number in the low word of each lane.
inline FloatVec HalfOf(IntVec v) {
  return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v));
}

struct Quads {
  IntVec v[4];
};
/// 16 bytes of each row: v[i] holds bytes 4 i .. 4 i + 3, row r in lane r.
inline Quads LoadRows(const std::uint8_t* p, std::size_t stride) {
  __m512i row[4];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < 4; ++r) {
    const std::uint8_t* q = p + r * stride;
    const auto load = [q, stride](std::size_t lane) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(q + 4 * lane * stride));
    };
    row[r] = _mm512_inserti32x4(_mm512_castsi128_si512(load(0)), load(1), 1);
    row[r] = _mm512_inserti32x4(row[r], load(2), 2);
    row[r] = _mm512_inserti32x4(row[r], load(3), 3);
  }
  const __m512i a = _mm512_unpacklo_epi32(row[0], row[1]);
  const __m512i b = _mm512_unpacklo_epi32(row[2], row[3]);
  const __m512i c = _mm512_unpackhi_epi32(row[0], row[1]);
  const __m512i d = _mm512_unpackhi_epi32(row[2], row[3]);
  return {{_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b), _mm512_unpacklo_epi64(c, d),
           _mm512_unpackhi_epi64(c, d)}};
}

}  // namespace
}  // namespace tandem::cpu
