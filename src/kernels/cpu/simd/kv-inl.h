#pragma once

#include "kernels/cpu/kernel_table.h"

// Number formats of cached keys and values. Include after an instruction set's floats-inl.h.

namespace tandem::cpu {
namespace {

inline constexpr int kKvF32 = 0;  // KvType of ops.h as a number
inline constexpr int kKvF16 = 1;
inline constexpr int kKvBf16 = 2;
inline constexpr std::size_t kPageTokens = 64;
inline constexpr int kKvQ4 = 4;                 // 3: q8_0
inline constexpr std::size_t kScaleBlock = 32;  // values per scale in q8_0 and q4_0
inline constexpr float kTinyKv = 0x1p-100F;

// A format gives: kScaled, whether blocks of kScaleBlock columns have a scale; kShare, the columns
// of a key that share a byte; kBytes, those of kLanes numbers; kRowBytes, of a row's block; and
// Key(p, i), the numbers of kLanes tokens in column i of those that share p, and Value(p), kLanes
// columns, exact. Where the numbers lie: kv_page.h.

struct KvF32 {
  static constexpr bool kScaled = false;
  static constexpr std::size_t kShare = 1;
  static constexpr std::size_t kBytes = 4 * kLanes;
  static F32 Value(const std::byte* p) { return Load(reinterpret_cast<const float*>(p)); }
  static F32 Key(const std::byte* p, std::size_t /*i*/) { return Value(p); }
};

struct KvF16 {
  static constexpr bool kScaled = false;
  static constexpr std::size_t kShare = 1;
  static constexpr std::size_t kBytes = 2 * kLanes;
  static F32 Value(const std::byte* p) { return LoadHalf(p); }
  static F32 Key(const std::byte* p, std::size_t /*i*/) { return LoadHalf(p); }
};

struct KvBf16 {
  static constexpr bool kScaled = false;
  static constexpr std::size_t kShare = 1;
  static constexpr std::size_t kBytes = 2 * kLanes;
  static F32 Value(const std::byte* p) { return LoadBf16(p); }
  static F32 Key(const std::byte* p, std::size_t /*i*/) { return LoadBf16(p); }
};

// 11 + 8 bits: the product of a half and an int8 is exact in a float.
struct KvQ8 {
  static constexpr bool kScaled = true;
  static constexpr std::size_t kShare = 1;
  static constexpr std::size_t kBytes = kLanes;
  static constexpr std::size_t kRowBytes = 34;
  static F32 Value(const std::byte* p) { return LoadInt8(p); }
  static F32 Key(const std::byte* p, std::size_t /*i*/) { return LoadInt8(p); }
};

struct KvQ4 {
  static constexpr bool kScaled = true;
  static constexpr std::size_t kShare = 2;
  static constexpr std::size_t kBytes = kLanes / 2;
  static constexpr std::size_t kRowBytes = 18;
  static F32 Value(const std::byte* p) { return LoadInt4(p); }
  static F32 Key(const std::byte* p, std::size_t i) {
    return i == 0 ? LoadLowNibbles(p) : LoadHighNibbles(p);
  }
};

inline constexpr std::size_t kHalfBytes = 2;

/// One head's part of a page.
template <typename Kv>
struct KvPart {
  const std::byte* scales;
  const std::byte* numbers;

  KvPart(const std::byte* part, std::size_t dim)
      : scales(part),
        numbers(part + (Kv::kScaled ? dim / kScaleBlock * kPageTokens * kHalfBytes : 0)) {}

  static std::size_t Bytes(std::size_t dim) {
    return kPageTokens *
           (dim * Kv::kBytes / kLanes + (Kv::kScaled ? dim / kScaleBlock * kHalfBytes : 0));
  }
  /// Of keys: the numbers of tokens from `token` on in column `c`, a multiple of kShare.
  const std::byte* Key(std::size_t c, std::size_t token) const {
    constexpr std::size_t kSharers = Kv::kShare;
    return numbers + (c * kPageTokens + kSharers * token) * Kv::kBytes / kLanes;
  }
  /// The scales of kLanes tokens in the block of column c.
  F32 Scales(std::size_t c, std::size_t token) const {
    return LoadHalf(scales + (c / kScaleBlock * kPageTokens + token) * kHalfBytes);
  }
  /// Of values: the numbers of a token from column c on.
  const std::byte* Value(std::size_t token, std::size_t c, std::size_t dim) const {
    return numbers + (token * dim + c) * Kv::kBytes / kLanes;
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

/// x as binary16.
inline std::uint16_t HalfBits(float x) {
  std::uint16_t halves[kLanes];
  StoreHalf(halves, Set(x));
  return halves[0];
}

inline void StoreQ8(const float* x, std::size_t n, std::byte* out) {
  for (; n >= kScaleBlock; n -= kScaleBlock, x += kScaleBlock, out += KvQ8::kRowBytes) {
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
  for (; n >= kScaleBlock; n -= kScaleBlock, x += kScaleBlock, out += KvQ4::kRowBytes) {
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
