#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

// The few vector operations that panel-inl.h is written in, for NEON: one 32-bit lane per weight
// row. Rows of 8 in two registers would need more registers for the sums of several tokens than
// there are.

namespace tandem::cpu {
namespace {

using IntVec = int32x4_t;
using FloatVec = float32x4_t;
constexpr std::size_t kLanes = 4;
// sdot takes signed weights as they are.
constexpr int kSignedBias = 0;

inline int8x16_t Bytes(IntVec v) {
  return vreinterpretq_s8_s32(v);
}
inline IntVec FromBytes(int8x16_t v) {
  return vreinterpretq_s32_s8(v);
}

inline IntVec And(IntVec a, IntVec b) {
  return vandq_s32(a, b);
}
inline IntVec Or(IntVec a, IntVec b) {
  return vorrq_s32(a, b);
}
inline IntVec Xor(IntVec a, IntVec b) {
  return veorq_s32(a, b);
}
inline IntVec Add32(IntVec a, IntVec b) {
  return vaddq_s32(a, b);
}
inline IntVec Sub32(IntVec a, IntVec b) {
  return vsubq_s32(a, b);
}
inline IntVec Add8(IntVec a, IntVec b) {
  return FromBytes(vaddq_s8(Bytes(a), Bytes(b)));
}
inline IntVec Splat8(int v) {
  return FromBytes(vdupq_n_s8(static_cast<std::int8_t>(v)));
}
inline IntVec Splat32(int v) {
  return vdupq_n_s32(v);
}
template <int kBits>
IntVec ShiftLeft32(IntVec v) {
  return vshlq_n_s32(v, kBits);
}
template <int kBits>
IntVec ShiftRight32(IntVec v) {
  if constexpr (kBits == 0) {  // no such instruction
    return v;
  } else {
    return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(v), kBits));
  }
}
/// 16 bytes.
inline IntVec SplatTable(const void* table) {
  return FromBytes(vld1q_s8(static_cast<const std::int8_t*>(table)));
}
/// table[code] for each byte; codes below 16.
inline IntVec LookUp(IntVec table, IntVec codes) {
  return FromBytes(vqtbl1q_s8(Bytes(table), vreinterpretq_u8_s32(codes)));
}
/// Four bytes of memory in every lane.
inline IntVec SplatQuad(const void* p) {
  int v = 0;
  __builtin_memcpy(&v, p, sizeof(v));
  return vdupq_n_s32(v);
}
inline FloatVec ToFloat(IntVec v) {
  return vcvtq_f32_s32(v);
}
inline FloatVec SplatFloat(float v) {
  return vdupq_n_f32(v);
}
inline FloatVec Mul(FloatVec a, FloatVec b) {
  return vmulq_f32(a, b);
}
inline FloatVec MulAdd(FloatVec a, FloatVec b, FloatVec c) {
  return vfmaq_f32(c, a, b);
}
inline FloatVec MulSub(FloatVec a, FloatVec b, FloatVec c) {
  return vfmaq_f32(vnegq_f32(c), a, b);
}
inline FloatVec LoadFloats(const float* p) {
  return vld1q_f32(p);
}
inline void StoreFloats(float* p, FloatVec v) {
  vst1q_f32(p, v);
}
/// sum + a.words[0] * b.words[0] + a.words[1] * b.words[1] in each lane.
inline IntVec DotPairs(IntVec sum, IntVec a, IntVec b) {
  const int16x8_t words_a = vreinterpretq_s16_s32(a);
  const int16x8_t words_b = vreinterpretq_s16_s32(b);
  const int32x4_t low = vmull_s16(vget_low_s16(words_a), vget_low_s16(words_b));
  const int32x4_t high = vmull_high_s16(words_a, words_b);
  return vaddq_s32(sum, vpaddq_s32(low, high));
}
/// Byte kByte of each lane, sign-extended.
template <int kByte>
IntVec ScaleOf(IntVec v) {
  return vshrq_n_s32(vshlq_n_s32(v, 24 - 8 * kByte), 24);
}
/// Bytes kByte and kByte + 1 of each lane, sign-extended to words.
template <int kByte>
IntVec PairOf(IntVec v) {
  static_assert(kByte == 0 || kByte == 2);
  // The bytes of all lanes in a row, then widened: pairs stay in the order of the lanes.
  const int16x8_t words = vreinterpretq_s16_s32(v);
  const int16x8_t pairs = kByte == 0 ? vuzp1q_s16(words, words) : vuzp2q_s16(words, words);
  return vreinterpretq_s32_s16(vmovl_s8(vget_low_s8(vreinterpretq_s8_s16(pairs))));
}
/// The binary16 number in the low word of each lane.
inline FloatVec HalfOf(IntVec v) {
  return vcvt_f32_f16(vreinterpret_f16_s16(vmovn_s32(v)));
}

struct Quads {
  IntVec v[4];
};

/// One block of each of kLanes rows, and the memory to fetch meanwhile.
struct Rows {
  const std::uint8_t* base;
  std::size_t stride;
  const std::uint8_t* ahead;
};
inline Rows RowsAt(const std::uint8_t* p, std::size_t stride, const std::uint8_t* ahead) {
  return {p, stride, ahead};
}

/// 16 bytes of each row from `offset` on: v[i] holds bytes 4 i .. 4 i + 3, row r in lane r.
inline Quads LoadRows(const Rows& rows, std::size_t offset) {
  const auto load = [&rows, offset](std::size_t row) {
    return vreinterpretq_s32_u8(vld1q_u8(rows.base + offset + row * rows.stride));
  };
  const int32x4_t row0 = load(0);
  const int32x4_t row1 = load(1);
  const int32x4_t row2 = load(2);
  const int32x4_t row3 = load(3);
  const int64x2_t a = vreinterpretq_s64_s32(vzip1q_s32(row0, row1));
  const int64x2_t b = vreinterpretq_s64_s32(vzip1q_s32(row2, row3));
  const int64x2_t c = vreinterpretq_s64_s32(vzip2q_s32(row0, row1));
  const int64x2_t d = vreinterpretq_s64_s32(vzip2q_s32(row2, row3));
  return {{vreinterpretq_s32_s64(vzip1q_s64(a, b)), vreinterpretq_s32_s64(vzip2q_s64(a, b)),
           vreinterpretq_s32_s64(vzip1q_s64(c, d)), vreinterpretq_s32_s64(vzip2q_s64(c, d))}};
}

/// LoadRows of 16 bytes that no other call reads, with as much memory fetched ahead.
inline Quads StreamRows(const Rows& rows, std::size_t offset) {
  __builtin_prefetch(rows.ahead + offset * kLanes);
  return LoadRows(rows, offset);
}

}  // namespace
}  // namespace tandem::cpu
