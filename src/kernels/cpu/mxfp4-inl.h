#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/panel32-inl.h"

// Panels of MXFP4, whose scale is a power of two.

namespace tandem::cpu {
namespace {

struct Mxfp4Bytes {
  std::int8_t value[16];
};
constexpr Mxfp4Bytes CopyMxfp4Values() {
  Mxfp4Bytes copy{};
  for (std::size_t i = 0; i < 16; ++i) {
    copy.value[i] = quant::kMxfp4Values[i];
  }
  return copy;
}
constexpr Mxfp4Bytes kMxfp4Bytes = CopyMxfp4Values();

/// 2^(e - 128) of each lane's low byte.
inline FloatVec PowerOf(IntVec v) {
  const IntVec e = And(v, Splat32(0xFF));
  const IntVec subnormal = ShiftRight32<31>(Sub32(e, Splat32(2)));  // 1 for 0 and 1
  const IntVec large = ShiftLeft32<23>(Sub32(e, Splat32(1)));
  const IntVec small = ShiftLeft32<21>(Add32(e, Splat32(1)));
  const IntVec bits =
      Or(And(large, Sub32(subnormal, Splat32(1))), And(small, Sub32(Splat32(0), subnormal)));
  FloatVec power;
  __builtin_memcpy(&power, &bits, sizeof(power));
  return power;
}

struct FormatMXFP4 : BlockOf32 {
  static constexpr std::size_t kType = 39;
  using Block = quant::BlockMXFP4;
  static constexpr int kMaxCode = 12;
  static constexpr int kBias = kSignedBias;
  static constexpr bool kSigned = true;

  static void Expand(const Rows& rows, Panel* panel) {
    panel->d = PowerOf(LoadRows(rows, 0).v[0]);
    SetNibbles(StreamRows(rows, 1), panel->q);
    const IntVec table = Add8(SplatTable(kMxfp4Bytes.value), Splat8(kSignedBias));
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kQuads; ++i) {
      panel->q[i] = LookUp(table, panel->q[i]);
    }
  }
};

}  // namespace
}  // namespace tandem::cpu
