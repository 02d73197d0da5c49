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
inline constexpr std::size_t kMaxKvBlocks = 16;  // per row
inline constexpr float kTinyKv = 0x1p-100F;

/// Rows of a page as they are cached, or converted to float.
struct PageRows {
  const std::byte* row;
  std::size_t row_bytes;
  const float* scales;  // of q8_0 rows: block b of row i at b * kPageTokens + i

  PageRows At(std::size_t i) const { return {row + i * row_bytes, row_bytes, scales + i}; }
};

// A format gives: kVectorBytes, those of kLanes values; kUnit, the vectors that share a scale;
// kUnitBytes, from one unit to the next; LoadAt(p, scale), the vector at p, exact.

struct KvF32 {
  static constexpr std::size_t kUnit = 1;
  static constexpr std::size_t kVectorBytes = 4 * kLanes;
  static constexpr std::size_t kUnitBytes = kVectorBytes;
  static F32 LoadAt(const std::byte* p, const float* /*scale*/) {
    return Load(reinterpret_cast<const float*>(p));
  }
};

struct KvF16 {
  static constexpr std::size_t kUnit = 1;
  static constexpr std::size_t kVectorBytes = 2 * kLanes;
  static constexpr std::size_t kUnitBytes = kVectorBytes;
  static F32 LoadAt(const std::byte* p, const float* /*scale*/) { return LoadHalf(p); }
};

struct KvBf16 {
  static constexpr std::size_t kUnit = 1;
  static constexpr std::size_t kVectorBytes = 2 * kLanes;
  static constexpr std::size_t kUnitBytes = kVectorBytes;
  static F32 LoadAt(const std::byte* p, const float* /*scale*/) { return LoadBf16(p); }
};

struct KvQ8 {
  static constexpr std::size_t kUnit = kQ8Block / kLanes;
  static constexpr std::size_t kVectorBytes = kLanes;
  static constexpr std::size_t kUnitBytes = kQ8BlockBytes;
  static F32 LoadAt(const std::byte* p, const float* scale) {
    // 11 + 8 bits: the product of a half and an int8 is exact in a float.
    return Set(*scale) * LoadInt8(p);
  }
};

/// Bytes from the start of a row to its vector i.
template <typename Kv>
std::size_t VectorOffset(std::size_t i) {
  return i / Kv::kUnit * Kv::kUnitBytes + i % Kv::kUnit * Kv::kVectorBytes;
}
/// Floats from a row's first scale to that of vector i.
template <typename Kv>
std::size_t ScaleOffset(std::size_t i) {
  return i / Kv::kUnit * kPageTokens;
}

/// The scales of `count` q8_0 rows of a page as floats, and the rows (from their first value) that
/// carry them.
inline PageRows FindScales(const PageRows& rows, std::size_t count, std::size_t dim,
                           float* scales) {
  // All halves first: converting a vector of them right after its stores would wait for these.
  std::uint16_t halves[kPageTokens * kMaxKvBlocks];
  const std::size_t blocks = dim / kQ8Block;
  for (std::size_t j = 0; j < count; ++j) {
    const std::byte* d = rows.row + j * rows.row_bytes;
#pragma GCC unroll 4
    for (std::size_t b = 0; b < blocks; ++b) {
      __builtin_memcpy(halves + b * kPageTokens + j, d + b * kQ8BlockBytes, sizeof(std::uint16_t));
    }
  }
  for (std::size_t b = 0; b < blocks; ++b) {
    for (std::size_t j = 0; j < count; j += kLanes) {  // the last may convert what no row has
      Store(scales + b * kPageTokens + j, LoadHalf(halves + b * kPageTokens + j));
    }
  }
  return {rows.row + sizeof(std::uint16_t), rows.row_bytes, scales};
}

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

/// x as binary16.
inline std::uint16_t HalfBits(float x) {
  std::uint16_t halves[kLanes];
  StoreHalf(halves, Set(x));
  return halves[0];
}

inline void StoreQ8(const float* x, std::size_t n, std::byte* out) {
  for (; n >= kQ8Block; n -= kQ8Block, x += kQ8Block, out += kQ8BlockBytes) {
    F32 max = Zero();
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kQ8Block; i += kLanes) {
      max = Max(Abs(Load(x + i)), max);
    }
    const float largest = MaxLanes(max);
    const std::uint16_t d = HalfBits(largest / 127.0F);
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
