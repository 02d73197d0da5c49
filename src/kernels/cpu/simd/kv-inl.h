#pragma once

#include "kernels/cpu/kernel_table.h"

// Number formats of cached keys and values. Include after an instruction set's floats-inl.h.

namespace tandem::cpu {
namespace {

inline constexpr int kKvF32 = 0;  // KvType of ops.h as a number
inline constexpr int kKvF16 = 1;
inline constexpr int kKvBf16 = 2;
inline constexpr std::size_t kPageTokens = 64;
inline constexpr std::size_t kQ8Block = 32;  // values per scale
inline constexpr std::size_t kQ8BlockBytes = 34;
inline constexpr float kTinyKv = 0x1p-100F;

// A format gives: kUnit, the vectors that share one Scale; ScaleAt(row, i), the scale of the unit
// that vector i begins; LoadAt(row, i, scale), vector i of the row, exact;
// kBytes, of one value in a row that is no whole number of vectors.

struct NoScale {};

struct KvF32 {
  using Scale = NoScale;
  static constexpr std::size_t kUnit = 1;
  static constexpr std::size_t kBytes = 4;
  static Scale ScaleAt(const std::byte* /*row*/, std::size_t /*i*/) { return {}; }
  static F32 LoadAt(const std::byte* row, std::size_t i, Scale /*scale*/) {
    return Load(reinterpret_cast<const float*>(row) + i * kLanes);
  }
};

struct KvF16 {
  using Scale = NoScale;
  static constexpr std::size_t kUnit = 1;
  static constexpr std::size_t kBytes = 2;
  static Scale ScaleAt(const std::byte* /*row*/, std::size_t /*i*/) { return {}; }
  static F32 LoadAt(const std::byte* row, std::size_t i, Scale /*scale*/) {
    return LoadHalf(row + i * kLanes * kBytes);
  }
};

struct KvBf16 {
  using Scale = NoScale;
  static constexpr std::size_t kUnit = 1;
  static constexpr std::size_t kBytes = 2;
  static Scale ScaleAt(const std::byte* /*row*/, std::size_t /*i*/) { return {}; }
  static F32 LoadAt(const std::byte* row, std::size_t i, Scale /*scale*/) {
    return LoadBf16(row + i * kLanes * kBytes);
  }
};

struct KvQ8 {
  using Scale = F32;
  static constexpr std::size_t kUnit = kQ8Block / kLanes;
  static constexpr std::size_t kBytes = 1;  // unused: rows are whole blocks
  static F32 ScaleAt(const std::byte* row, std::size_t i) {
    std::uint16_t bits = 0;
    __builtin_memcpy(&bits, row + i / kUnit * kQ8BlockBytes, sizeof(bits));
    return Set(_cvtsh_ss(bits));
  }
  static F32 LoadAt(const std::byte* row, std::size_t i, F32 scale) {
    // 11 + 8 bits: the product of a half and an int8 is exact in a float.
    return scale *
           LoadInt8(row + i / kUnit * kQ8BlockBytes + sizeof(std::uint16_t) + i % kUnit * kLanes);
  }
};

/// Stores n values that are no whole vector: the store of a vector, cut to n.
template <void (*kStore)(void*, F32)>
void StoreHalvesFirst(std::uint16_t* out, const float* x, std::size_t n) {
  std::uint16_t halves[kLanes];
  kStore(halves, LoadFirst(x, n));
  __builtin_memcpy(out, halves, n * sizeof(std::uint16_t));
}

template <void (*kStore)(void*, F32)>
void StoreHalves(const float* x, std::size_t n, std::uint16_t* out) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    kStore(out + i, Load(x + i));
  }
  if (i < n) {
    StoreHalvesFirst<kStore>(out + i, x + i, n - i);
  }
}

inline void StoreQ8(const float* x, std::size_t n, std::byte* out) {
  for (; n >= kQ8Block; n -= kQ8Block, x += kQ8Block, out += kQ8BlockBytes) {
    F32 max = Zero();
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kQ8Block; i += kLanes) {
      max = Max(Abs(Load(x + i)), max);
    }
    const float largest = MaxLanes(max);
    const auto d = static_cast<std::uint16_t>(_mm_extract_epi16(
        _mm_cvtps_ph(_mm_set_ss(largest / 127.0F), _MM_FROUND_TO_NEAREST_INT), 0));
    // Below this the inverse is infinite, and d rounds to zero anyway.
    const F32 inverse = Set(largest < kTinyKv ? 0.0F : 127.0F / largest);
    __builtin_memcpy(out, &d, sizeof(d));
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kQ8Block; i += kLanes) {
      StoreInt8(out + sizeof(d) + i, Load(x + i) * inverse);
    }
  }
}

void KvStore(int kv_type, const float* x, std::size_t n, void* out) {
  if (kv_type == kKvF32) {
    __builtin_memcpy(out, x, n * sizeof(float));
  } else if (kv_type == kKvF16) {
    StoreHalves<&StoreHalf>(x, n, static_cast<std::uint16_t*>(out));
  } else if (kv_type == kKvBf16) {
    StoreHalves<&StoreBf16>(x, n, static_cast<std::uint16_t*>(out));
  } else {
    StoreQ8(x, n, static_cast<std::byte*>(out));
  }
}

}  // namespace
}  // namespace tandem::cpu
