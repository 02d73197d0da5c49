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

/// One block of each of kLanes rows, and the memory to fetch meanwhile.
struct Rows {
  const std::uint8_t* base[kLanes / 4];  // every fourth row: the others are 1, 2 or 3 strides on
  std::size_t stride;
  std::size_t stride3;
  const std::uint8_t* ahead;
};
inline Rows RowsAt(const std::uint8_t* p, std::size_t stride, const std::uint8_t* ahead) {
  return {{p, p + 4 * stride, p + 8 * stride, p + 12 * stride}, stride, 3 * stride, ahead};
}

/// 16 bytes of each row from `offset` on: v[i] holds bytes 4 i .. 4 i + 3, row r in lane r.
inline Quads LoadRows(const Rows& rows, std::size_t offset) {
  const auto load = [&rows](std::size_t from) {
    const auto part = [&rows, from](std::size_t lane) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows.base[lane] + from));
    };
    __m512i v = _mm512_castsi128_si512(part(0));
    v = _mm512_inserti32x4(v, part(1), 1);
    v = _mm512_inserti32x4(v, part(2), 2);
    return _mm512_inserti32x4(v, part(3), 3);
  };
  const __m512i row0 = load(offset);
  const __m512i row1 = load(offset + rows.stride);
  const __m512i row2 = load(offset + 2 * rows.stride);
  const __m512i row3 = load(offset + rows.stride3);
  const __m512i a = _mm512_unpacklo_epi32(row0, row1);
  const __m512i b = _mm512_unpacklo_epi32(row2, row3);
  const __m512i c = _mm512_unpackhi_epi32(row0, row1);
  const __m512i d = _mm512_unpackhi_epi32(row2, row3);
  return {{_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b), _mm512_unpacklo_epi64(c, d),
           _mm512_unpackhi_epi64(c, d)}};
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
