#pragma once

// Include after an instruction set's floats-inl.h.

namespace tandem::cpu {
namespace {

/// e^x within 1 ulp (all floats tried), infinity above 88.8, NaN stays NaN; 0 below -87.3, where
/// results would be subnormal: those cost a hundred cycles, and attention masks keys with
/// -infinity. x = n ln 2 + r, |r| <= ln 2 / 2, and a polynomial for e^r whose relative error
/// is 7.5e-10 (interpolated at Chebyshev points).
inline F32 Exp(F32 x) {
  const F32 smallest = Set(-87.33F);
  const F32 given = x;
  x = Max(smallest, Min(Set(89.0F), x));
  const F32 n = RoundToInt(x * Set(0x1.715476p+0F));
  // ln 2 as a float, and what is missing from it.
  F32 r = NegMulAdd(n, Set(0x1.62e43p-1F), x);
  r = MulAdd(n, Set(0x1.05c61p-29F), r);
  F32 p = Set(0x1.a125f6p-13F);
  p = MulAdd(p, r, Set(0x1.6d444ap-10F));
  p = MulAdd(p, r, Set(0x1.1110ep-7F));
  p = MulAdd(p, r, Set(0x1.5554e8p-5F));
  p = MulAdd(p, r, Set(0x1.555556p-3F));
  p = MulAdd(p, r, Set(0.5F));
  p = MulAdd(p, r * r, r) + Set(1.0F);
  return ZeroBelow(given, smallest, ScaleByPower(p, n));
}

/// numerator * sigmoid(x), without overflow or cancellation for any x.
inline F32 MulSigmoid(F32 numerator, F32 x) {
  const F32 e = Exp(Zero() - Abs(x));
  return numerator * WhereNegative(x, e, Set(1.0F)) / (Set(1.0F) + e);
}

inline F32 Silu(F32 x) {
  return MulSigmoid(x, x);
}

}  // namespace
}  // namespace tandem::cpu
