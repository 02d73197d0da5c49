#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

// The vector operations that kernels/cpu/simd/ is written in, for NEON: eight lanes in two
// registers, so that eight vectors of sums fill half of the register file, and sums have the order
// (and the bits) of the AVX2 kernels. Everything has internal linkage (see kernel_table.h). A fused
// multiply-add is always asked for by name.

namespace tandem::cpu {
namespace {

struct F32 {
  float32x4_t low;
  float32x4_t high;
};
struct F64 {
  float64x2_t low;
  float64x2_t high;
};
inline constexpr std::size_t kLanes = 8;
/// Vectors that SumEach adds up at once, and the accumulators that a kernel may keep in registers.
inline constexpr std::size_t kSums = 8;
/// Tokens of a tile two vectors wide, whose sums and operands fit the registers.
inline constexpr std::size_t kPanelTokens = 6;
/// Whether a core keeps chains of additions of several blocks under way, see float_matmul-inl.h.
inline constexpr bool kOneStream = false;

inline F32 operator+(F32 a, F32 b) {
  return {vaddq_f32(a.low, b.low), vaddq_f32(a.high, b.high)};
}
inline F32 operator-(F32 a, F32 b) {
  return {vsubq_f32(a.low, b.low), vsubq_f32(a.high, b.high)};
}
inline F32 operator*(F32 a, F32 b) {
  return {vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)};
}
inline F32 operator/(F32 a, F32 b) {
  return {vdivq_f32(a.low, b.low), vdivq_f32(a.high, b.high)};
}
inline F64 operator+(F64 a, F64 b) {
  return {vaddq_f64(a.low, b.low), vaddq_f64(a.high, b.high)};
}
inline F64 operator-(F64 a, F64 b) {
  return {vsubq_f64(a.low, b.low), vsubq_f64(a.high, b.high)};
}
inline F64 operator*(F64 a, F64 b) {
  return {vmulq_f64(a.low, b.low), vmulq_f64(a.high, b.high)};
}

inline F32 Zero() {
  return {vdupq_n_f32(0), vdupq_n_f32(0)};
}
inline F64 ZeroF64() {
  return {vdupq_n_f64(0), vdupq_n_f64(0)};
}
inline F32 Set(float x) {
  return {vdupq_n_f32(x), vdupq_n_f32(x)};
}
inline F64 SetF64(double x) {
  return {vdupq_n_f64(x), vdupq_n_f64(x)};
}
inline F32 Load(const float* p) {
  return {vld1q_f32(p), vld1q_f32(p + 4)};
}
/// The first n < kLanes values, then zeros; reads nothing past them.
inline F32 LoadFirst(const float* p, std::size_t n) {
  float lanes[kLanes] = {};
  __builtin_memcpy(lanes, p, n * sizeof(float));
  return Load(lanes);
}
inline void Store(float* p, F32 v) {
  vst1q_f32(p, v.low);
  vst1q_f32(p + 4, v.high);
}
inline void StoreFirst(float* p, F32 v, std::size_t n) {
  float lanes[kLanes];
  Store(lanes, v);
  __builtin_memcpy(p, lanes, n * sizeof(float));
}
/// Store: only the other instruction sets write past the caches, and need the fence.
inline void StoreStream(float* p, F32 v) {
  Store(p, v);
}
inline void StreamFence() {}
/// a * b + c with one rounding.
inline F32 MulAdd(F32 a, F32 b, F32 c) {
  return {vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)};
}
inline F64 MulAdd(F64 a, F64 b, F64 c) {
  return {vfmaq_f64(c.low, a.low, b.low), vfmaq_f64(c.high, a.high, b.high)};
}
/// c - a * b with one rounding.
inline F32 NegMulAdd(F32 a, F32 b, F32 c) {
  return {vfmsq_f32(c.low, a.low, b.low), vfmsq_f32(c.high, a.high, b.high)};
}
inline F64 NegMulAdd(F64 a, F64 b, F64 c) {
  return {vfmsq_f64(c.low, a.low, b.low), vfmsq_f64(c.high, a.high, b.high)};
}
/// In each lane a where the mask is set, else b.
inline float32x4_t Choose(uint32x4_t mask, float32x4_t a, float32x4_t b) {
  return vbslq_f32(mask, a, b);
}
/// The larger; b when either is NaN.
inline float32x4_t Max(float32x4_t a, float32x4_t b) {
  return Choose(vcgtq_f32(a, b), a, b);
}
inline F32 Max(F32 a, F32 b) {
  return {Max(a.low, b.low), Max(a.high, b.high)};
}
inline F32 Min(F32 a, F32 b) {
  return {Choose(vcltq_f32(a.low, b.low), a.low, b.low),
          Choose(vcltq_f32(a.high, b.high), a.high, b.high)};
}
inline F32 Abs(F32 v) {
  return {vabsq_f32(v.low), vabsq_f32(v.high)};
}
inline F32 RoundToInt(F32 v) {
  return {vrndnq_f32(v.low), vrndnq_f32(v.high)};
}
inline float32x4_t ScaleByPower(float32x4_t v, float32x4_t n) {
  // Two factors, because 2^n itself may lie outside the range of a float.
  const int32x4_t whole = vcvtnq_s32_f32(n);
  const int32x4_t half = vshrq_n_s32(whole, 1);
  const int32x4_t bias = vdupq_n_s32(127);
  const int32x4_t a = vshlq_n_s32(vaddq_s32(half, bias), 23);
  const int32x4_t b = vshlq_n_s32(vaddq_s32(vsubq_s32(whole, half), bias), 23);
  return vmulq_f32(vmulq_f32(v, vreinterpretq_f32_s32(a)), vreinterpretq_f32_s32(b));
}
/// v * 2^n for a whole n in [-250, 250].
inline F32 ScaleByPower(F32 v, F32 n) {
  return {ScaleByPower(v.low, n.low), ScaleByPower(v.high, n.high)};
}
/// In each lane a where x < 0, else b.
inline F32 WhereNegative(F32 x, F32 a, F32 b) {
  return {Choose(vcltzq_f32(x.low), a.low, b.low), Choose(vcltzq_f32(x.high), a.high, b.high)};
}
/// In each lane 0 where x < limit, else v.
inline F32 ZeroBelow(F32 x, F32 limit, F32 v) {
  return {Choose(vcltq_f32(x.low, limit.low), vdupq_n_f32(0), v.low),
          Choose(vcltq_f32(x.high, limit.high), vdupq_n_f32(0), v.high)};
}

struct Doubles {
  F64 low;
  F64 high;
};
inline F64 Widen(float32x4_t v) {
  return {vcvt_f64_f32(vget_low_f32(v)), vcvt_high_f64_f32(v)};
}
inline Doubles Widen(F32 v) {
  return {Widen(v.low), Widen(v.high)};
}
inline float32x4_t Narrow(F64 v) {
  return vcvt_high_f32_f64(vcvt_f32_f64(v.low), v.high);
}
inline F32 Narrow(F64 low, F64 high) {
  return {Narrow(low), Narrow(high)};
}

// The order of every sum over lanes: ((x0 + x2) + (x1 + x3)) in each group of four, then the two
// groups. SumLanes and SumEach give the same bits for the same vector.
inline float SumLanes(F32 v) {
  const float32x2_t low = vadd_f32(vget_low_f32(v.low), vget_high_f32(v.low));
  const float32x2_t high = vadd_f32(vget_low_f32(v.high), vget_high_f32(v.high));
  return vpadds_f32(vpadd_f32(low, high));
}
inline double SumLanes(F64 v) {
  return vpaddd_f64(vpaddq_f64(v.low, v.high));
}
inline float FirstLane(F32 v) {
  return vgetq_lane_f32(v.low, 0);
}
inline float MaxLanes(F32 v) {
  const float32x4_t four = Max(v.low, v.high);
  const float32x4_t two = Max(four, vextq_f32(four, four, 2));
  return vgetq_lane_f32(Max(two, vextq_f32(two, two, 1)), 0);
}

/// (a0 + a2, a1 + a3, b0 + b2, b1 + b3)
inline float32x4_t AddFarHalves(float32x4_t a, float32x4_t b) {
  const float64x2_t wide_a = vreinterpretq_f64_f32(a);
  const float64x2_t wide_b = vreinterpretq_f64_f32(b);
  return vaddq_f32(vreinterpretq_f32_f64(vzip1q_f64(wide_a, wide_b)),
                   vreinterpretq_f32_f64(vzip2q_f64(wide_a, wide_b)));
}
/// Lane i is the sum of the i-th argument.
inline float32x4_t SumFour(float32x4_t a, float32x4_t b, float32x4_t c, float32x4_t d) {
  return vpaddq_f32(AddFarHalves(a, b), AddFarHalves(c, d));
}
/// Lane i is the sum of v[i].
inline F32 SumEach(const F32 (&v)[kSums]) {
  return {vaddq_f32(SumFour(v[0].low, v[1].low, v[2].low, v[3].low),
                    SumFour(v[0].high, v[1].high, v[2].high, v[3].high)),
          vaddq_f32(SumFour(v[4].low, v[5].low, v[6].low, v[7].low),
                    SumFour(v[4].high, v[5].high, v[6].high, v[7].high))};
}

/// v[i] lane j becomes v[j] lane i.
inline void TransposeFour(float32x4_t& a, float32x4_t& b, float32x4_t& c, float32x4_t& d) {
  const float64x2_t ab_low = vreinterpretq_f64_f32(vzip1q_f32(a, b));
  const float64x2_t ab_high = vreinterpretq_f64_f32(vzip2q_f32(a, b));
  const float64x2_t cd_low = vreinterpretq_f64_f32(vzip1q_f32(c, d));
  const float64x2_t cd_high = vreinterpretq_f64_f32(vzip2q_f32(c, d));
  a = vreinterpretq_f32_f64(vzip1q_f64(ab_low, cd_low));
  b = vreinterpretq_f32_f64(vzip2q_f64(ab_low, cd_low));
  c = vreinterpretq_f32_f64(vzip1q_f64(ab_high, cd_high));
  d = vreinterpretq_f32_f64(vzip2q_f64(ab_high, cd_high));
}
inline void Transpose(F32 (&v)[kLanes]) {
  TransposeFour(v[0].low, v[1].low, v[2].low, v[3].low);
  TransposeFour(v[0].high, v[1].high, v[2].high, v[3].high);
  TransposeFour(v[4].low, v[5].low, v[6].low, v[7].low);
  TransposeFour(v[4].high, v[5].high, v[6].high, v[7].high);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    const float32x4_t upper_right = v[i].high;
    v[i].high = v[4 + i].low;
    v[4 + i].low = upper_right;
  }
}

inline F32 LoadHalf(const void* p) {
  const float16x8_t halves = vreinterpretq_f16_u8(vld1q_u8(static_cast<const std::uint8_t*>(p)));
  return {vcvt_f32_f16(vget_low_f16(halves)), vcvt_high_f32_f16(halves)};
}
inline F32 LoadBf16(const void* p) {
  const uint16x8_t bits = vreinterpretq_u16_u8(vld1q_u8(static_cast<const std::uint8_t*>(p)));
  const uint16x8_t zero = vdupq_n_u16(0);
  return {vreinterpretq_f32_u16(vzip1q_u16(zero, bits)),
          vreinterpretq_f32_u16(vzip2q_u16(zero, bits))};
}
inline F32 LoadInt8(const void* p) {
  const int16x8_t words = vmovl_s8(vld1_s8(static_cast<const std::int8_t*>(p)));
  return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(words))), vcvtq_f32_s32(vmovl_high_s16(words))};
}
inline F32 FloatsOfCodes(uint8x8_t codes) {
  const int16x8_t words = vmovl_s8(vsub_s8(vreinterpret_s8_u8(codes), vdup_n_s8(8)));
  return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(words))), vcvtq_f32_s32(vmovl_high_s16(words))};
}
/// Codes of kLanes / 2 bytes, the lower half of a byte first, less 8.
inline F32 LoadInt4(const void* p) {
  std::uint32_t bytes = 0;
  __builtin_memcpy(&bytes, p, sizeof(bytes));
  const uint8x8_t pairs = vreinterpret_u8_u32(vdup_n_u32(bytes));
  return FloatsOfCodes(vzip1_u8(vand_u8(pairs, vdup_n_u8(15)), vshr_n_u8(pairs, 4)));
}
/// The lower or upper halves of kLanes bytes, less 8.
inline F32 LoadLowNibbles(const void* p) {
  return FloatsOfCodes(vand_u8(vld1_u8(static_cast<const std::uint8_t*>(p)), vdup_n_u8(15)));
}
inline F32 LoadHighNibbles(const void* p) {
  return FloatsOfCodes(vshr_n_u8(vld1_u8(static_cast<const std::uint8_t*>(p)), 4));
}
/// Nearest even, NaN stays NaN: the bits of base/half.h.
inline void StoreHalf(void* p, F32 v) {
  const float16x8_t halves = vcvt_high_f16_f32(vcvt_f16_f32(v.low), v.high);
  vst1q_u8(static_cast<std::uint8_t*>(p), vreinterpretq_u8_f16(halves));
}
inline uint16x4_t RoundToBf16(float32x4_t v) {
  const uint32x4_t bits = vreinterpretq_u32_f32(v);
  const uint32x4_t high = vshrq_n_u32(bits, 16);
  const uint32x4_t odd = vandq_u32(high, vdupq_n_u32(1));
  const uint32x4_t rounded = vshrq_n_u32(vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7FFF))), 16);
  const uint32x4_t quiet = vorrq_u32(high, vdupq_n_u32(64));
  return vmovn_u32(vbslq_u32(vceqq_f32(v, v), rounded, quiet));
}
inline void StoreBf16(void* p, F32 v) {
  const uint16x8_t words = vcombine_u16(RoundToBf16(v.low), RoundToBf16(v.high));
  vst1q_u8(static_cast<std::uint8_t*>(p), vreinterpretq_u8_u16(words));
}
/// Rounds to nearest even; values must fit int8.
inline void StoreInt8(void* p, F32 v) {
  const int16x4_t low = vqmovn_s32(vcvtnq_s32_f32(v.low));
  const int16x8_t words = vqmovn_high_s32(low, vcvtnq_s32_f32(v.high));
  vst1_s8(static_cast<std::int8_t*>(p), vqmovn_s16(words));
}

}  // namespace
}  // namespace tandem::cpu
