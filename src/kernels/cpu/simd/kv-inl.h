#pragma once

#include "kernels/cpu/kernel_table.h"

// Number formats of cached keys and values. Include after an instruction set's floats-inl.h.

namespace tandem::cpu {
namespace {

inline constexpr int kKvF32 = 0;  // KvType of ops.h as a number
inline constexpr int kKvF16 = 1;
inline constexpr int kKvBf16 = 2;
inline constexpr std::size_t kPageTokens = 64;
inline constexpr int kKvQ4 = 4;                  // 3: q8_0
inline constexpr std::size_t kScaleBlock = 32;   // values per scale in q8_0 and q4_0
inline constexpr std::size_t kMaxKvBlocks = 16;  // per row
inline constexpr float kTinyKv = 0x1p-100F;

/// Rows of a page as they are cached, or converted to float.
struct PageRows {
  const std::byte* row;
  std::size_t row_bytes;
  const float* scales;  // of q8_0 and q4_0 rows: block b of row i at b * kPageTokens + i

  PageRows At(std::size_t i) const { return {row + i * row_bytes, row_bytes, scales + i}; }
};

// A format gives: kVectorBytes, those of kLanes values; kUnit, the vectors that share a scale;
// kUnitBytes, from one unit to the next, a scale included; LoadAt(p, scale), the vector at p,
// exact.

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
  static constexpr std::size_t kUnit = kScaleBlock / kLanes;
  static constexpr std::size_t kVectorBytes = kLanes;
  static constexpr std::size_t kUnitBytes = 34;
  static F32 LoadAt(const std::byte* p, const float* scale) {
    // 11 + 8 bits: the product of a half and an int8 is exact in a float.
    return Set(*scale) * LoadInt8(p);
  }
};

/// Values 2 i and 2 i + 1 share a byte, so that a vector is a stretch of bytes.
struct KvQ4 {
  static constexpr std::size_t kUnit = kScaleBlock / kLanes;
  static constexpr std::size_t kVectorBytes = kLanes / 2;
  static constexpr std::size_t kUnitBytes = 18;
  static F32 LoadAt(const std::byte* p, const float* scale) { return Set(*scale) * LoadInt4(p); }
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

/// The scales of `count` q8_0 or q4_0 rows of a page as floats, and the rows (from their first
/// value) that carry them.
template <typename Kv>
PageRows FindScales(const PageRows& rows, std::size_t count, std::size_t dim, float* scales) {
  // All halves first: converting a vector of them right after its stores would wait for these.
  std::uint16_t halves[kPageTokens * kMaxKvBlocks];
  const std::size_t blocks = dim / kScaleBlock;
  for (std::size_t j = 0; j < count; ++j) {
    const std::byte* d = rows.row + j * rows.row_bytes;
#pragma GCC unroll 4
    for (std::size_t b = 0; b < blocks; ++b) {
      __builtin_memcpy(halves + b * kPageTokens + j, d + b * Kv::kUnitBytes, sizeof(std::uint16_t));
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
  for (; n >= kScaleBlock; n -= kScaleBlock, x += kScaleBlock, out += KvQ8::kUnitBytes) {
    F32 max = Zero();
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kScaleBlock; i += kLanes) {
      max = Max(Abs(Load(x + i)), max);
    }
    const float largest = MaxLanes(max);
    const std::uint16_t d = HalfBits(largest / 127.0F);
    // Below this the inverse is infinite, and d rounds to zero anyway.
    const F32 inverse = Set(largest < kTinyKv ? 0.0F : 127.0F / largest);
    __builtin_memcpy(out, &d, sizeof(d));
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kScaleBlock; i += kLanes) {
      StoreInt8(out + sizeof(d) + i, Load(x + i) * inverse);
    }
  }
}

/// The value of the largest magnitude becomes -8 times d, so that all 16 codes are of use.
inline void StoreQ4(const float* x, std::size_t n, std::byte* out) {
  for (; n >= kScaleBlock; n -= kScaleBlock, x += kScaleBlock, out += KvQ4::kUnitBytes) {
    F32 high = Zero();
    F32 low = Zero();
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kScaleBlock; i += kLanes) {
      high = Max(Load(x + i), high);
      low = Max(Zero() - Load(x + i), low);
    }
    const float most = MaxLanes(high);
    const float least = -MaxLanes(low);
    const float largest = most < -least ? least : most;
    const std::uint16_t d = HalfBits(largest / -8.0F);
    const F32 inverse = Set(__builtin_fabsf(largest) < kTinyKv ? 0.0F : -8.0F / largest);
    __builtin_memcpy(out, &d, sizeof(d));
    std::uint8_t codes[kScaleBlock];
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kScaleBlock; i += kLanes) {
      const F32 code = RoundToInt(Load(x + i) * inverse) + Set(8.0F);
      StoreInt8(codes + i, Min(code, Set(15.0F)));
    }
    for (std::size_t i = 0; i < kScaleBlock / 2; ++i) {
      out[sizeof(d) + i] = static_cast<std::byte>(codes[2 * i] | codes[2 * i + 1] << 4U);
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
  } else if (kv_type == kKvQ4) {
    StoreQ4(x, n, static_cast<std::byte*>(out));
  } else {
    StoreQ8(x, n, static_cast<std::byte*>(out));
  }
}

}  // namespace
}  // namespace tandem::cpu
