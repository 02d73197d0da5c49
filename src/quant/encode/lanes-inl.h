#pragma once

#include <cstddef>
#include <cstdint>

#include "quant/blocks.h"

// Sixteen sub-blocks at once, one per lane: every sum of a search runs down a lane, none across
// lanes, so a sub-block's result does not depend on its neighbours, and every instruction set gives
// the same bits (no fused multiply-add is used). Compiled once per instruction set; internal
// linkage only (see tools/check_isa_objects).

// The vectors never cross a call that is not inlined.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace tandem::quant {
namespace {

constexpr std::size_t kLanes = 16;
using Floats = float __attribute__((vector_size(64)));
using Ints = std::int32_t __attribute__((vector_size(64)));
using Bytes = std::uint8_t __attribute__((vector_size(16)));

[[gnu::always_inline]] inline Floats All(float value) {
  return Floats{} + value;
}
[[gnu::always_inline]] inline Floats LoadLanes(const float* from) {
  Floats lanes;
  __builtin_memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}
[[gnu::always_inline]] inline void StoreLanes(Floats lanes, float* to) {
  __builtin_memcpy(to, &lanes, sizeof(lanes));
}
[[gnu::always_inline]] inline Floats Select(Ints mask, Floats yes, Floats no) {
  return mask ? yes : no;
}
[[gnu::always_inline]] inline Floats Min(Floats a, Floats b) {
  return a < b ? a : b;
}
[[gnu::always_inline]] inline Floats Max(Floats a, Floats b) {
  return a > b ? a : b;
}
[[gnu::always_inline]] inline Floats Abs(Floats a) {
  return a < 0.0F ? -a : a;
}
/// Nearest integer, ties to even, of numbers below 2^22: the float adder rounds.
[[gnu::always_inline]] inline Floats Round(Floats x) {
  constexpr float kMagic = 0x1.8p23F;
  return (x + kMagic) - kMagic;
}
/// The nearest code in [low, high]; NaN gives low.
[[gnu::always_inline]] inline Floats Code(Floats x, float low, float high) {
  return Round(Min(Max(x, All(low)), All(high)));
}

/// Below this a block is zeros: its inverse scale would not be finite.
constexpr float kTinyRange = 0x1p-100F;

/// 1 / x where |x| is large enough, else 0.
[[gnu::always_inline]] inline Floats InverseOrZero(Floats x) {
  const Ints usable = Abs(x) > kTinyRange;
  return Select(usable, 1.0F / Select(usable, x, All(1.0F)), All(0.0F));
}

[[gnu::always_inline]] inline Ints BitsOf(Floats x) {
  Ints bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  return bits;
}
[[gnu::always_inline]] inline Floats FloatsOf(Ints bits) {
  Floats x;
  __builtin_memcpy(&x, &bits, sizeof(x));
  return x;
}

/// IEEE binary16 bits, nearest even; what is beyond the range becomes the largest finite half.
[[gnu::always_inline]] inline Ints ToHalf(Floats x) {
  const Ints bits = BitsOf(x);
  const Ints sign = (bits >> 16) & 0x8000;
  const Ints magnitude = bits & 0x7FFFFFFF;
  const Ints normal = (magnitude - 0x38000000 + 0xFFF + ((magnitude >> 13) & 1)) >> 13;
  // The adder rounds to multiples of 2^-24, the subnormals.
  const Ints subnormal = BitsOf(FloatsOf(magnitude) + 0.5F) - 0x3F000000;
  const Ints rounded = magnitude < 0x38800000 ? subnormal : normal;
  return sign | (rounded > 0x7BFF ? Ints{} + 0x7BFF : rounded);
}
/// The value of finite binary16 bits.
[[gnu::always_inline]] inline Floats FromHalf(Ints half) {
  const Floats magnitude = FloatsOf((half & 0x7FFF) << 13) * 0x1p112F;
  return FloatsOf(BitsOf(magnitude) | ((half & 0x8000) << 16));
}

/// Values and weights of up to sixteen sub-blocks of N, lane by lane. The weights of a sub-block
/// sum to one; `share` is what they summed to before.
template <std::size_t N>
struct SubBlocks {
  alignas(64) float x[N][kLanes];
  alignas(64) float w[N][kLanes];
  alignas(64) float share[kLanes];
};

/// Puts lane j of vector i into lane i of vector j: four rounds of shuffling two halves into each
/// other.
template <typename Vector>
[[gnu::always_inline]] inline void Transpose16(Vector* v) {
  for (int round = 0; round < 4; ++round) {
    Vector mixed[16];
    for (std::size_t i = 0; i < 8; ++i) {
      mixed[2 * i] = __builtin_shufflevector(v[i], v[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
                                             21, 6, 22, 7, 23);
      mixed[2 * i + 1] = __builtin_shufflevector(v[i], v[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12,
                                                 28, 13, 29, 14, 30, 15, 31);
    }
    for (std::size_t i = 0; i < 16; ++i) {
      v[i] = mixed[i];
    }
  }
}

/// to[i][lane] = from[lane * N + i] for the first `count` lanes, 0 for the others.
template <std::size_t N>
[[gnu::always_inline]] inline void ReadLanes(const float* from, std::size_t count,
                                             float (*to)[kLanes]) {
  static_assert(N % 16 == 0);
  for (std::size_t part = 0; part < N; part += 16) {
    Floats v[kLanes];
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      v[lane] = lane < count ? LoadLanes(from + lane * N + part) : Floats{};
    }
    Transpose16(v);
    for (std::size_t i = 0; i < 16; ++i) {
      StoreLanes(v[i], to[part + i]);
    }
  }
}

/// Reads `count` sub-blocks that follow each other; the other lanes hold zeros. importance: null
/// (all values count the same) or a weight per value. A sub-block whose weights are all zero counts
/// as one without.
template <std::size_t N>
void ReadSubBlocks(const float* values, const float* importance, std::size_t count,
                   SubBlocks<N>* out) {
  constexpr float kEqual = 1.0F / static_cast<float>(N);
  ReadLanes<N>(values, count, out->x);
  if (importance == nullptr) {
    for (std::size_t i = 0; i < N; ++i) {
      StoreLanes(All(kEqual), out->w[i]);
    }
    StoreLanes(All(1.0F), out->share);
    return;
  }
  ReadLanes<N>(importance, count, out->w);
  Floats sum{};
  for (std::size_t i = 0; i < N; ++i) {
    sum += LoadLanes(out->w[i]);
  }
  const Ints weighted = sum > kTinyRange;
  const Floats inverse = Select(weighted, 1.0F / Select(weighted, sum, All(1.0F)), Floats{});
  for (std::size_t i = 0; i < N; ++i) {
    StoreLanes(Select(weighted, LoadLanes(out->w[i]) * inverse, All(kEqual)), out->w[i]);
  }
  StoreLanes(Select(weighted, sum, All(1.0F)), out->share);
}

}  // namespace
}  // namespace tandem::quant
