#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cpu/cpu_features.h"

namespace tandem::cpu {

/// Half an ulp of a float in [1, 2): the relative error of one rounding.
inline constexpr double kUnitRoundoff = 0x1p-24;
/// The smallest positive float.
inline constexpr double kTiny = 0x1p-149;

/// Instruction sets with kernels of their own, lowest first; and those with float kernels.
#if defined(__aarch64__)
inline constexpr const char* kTiers[] = {"neon"};
inline constexpr const char* kFloatTiers[] = {"neon"};
#else
inline constexpr const char* kTiers[] = {"avx2", "avx512vnni", "amx"};
inline constexpr const char* kFloatTiers[] = {"avx2", "avx512vnni"};
#endif

using Sizes = std::vector<std::size_t>;

/// Runs each test for every instruction set with kernels of its own; those that this CPU lacks are
/// skipped.
class KernelTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    Result<KernelTable> tier = SelectKernels(GetParam());
    if (!tier.ok()) {
      GTEST_SKIP() << tier.status().message();
    }
    table_ = tier.value();
    scalar_ = SelectKernels("scalar").value();
  }

  KernelTable table_{};
  KernelTable scalar_{};
};

/// Seeded numbers; the seed is fixed, so a failure repeats.
class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}

  float Normal(float scale = 1) { return scale * normal_(engine_); }
  std::uint32_t Bits() { return static_cast<std::uint32_t>(engine_()); }
  std::vector<float> Normals(std::size_t n, float scale = 1) {
    std::vector<float> values(n);
    for (float& value : values) {
      value = Normal(scale);
    }
    return values;
  }

 private:
  std::mt19937 engine_;
  std::normal_distribution<float> normal_;
};

inline std::string TierName(const testing::TestParamInfo<const char*>& info) {
  return info.param;
}

}  // namespace tandem::cpu

#define TANDEM_FOR_EACH_TIER(fixture)                                                    \
  INSTANTIATE_TEST_SUITE_P(Tier, fixture, testing::ValuesIn(::tandem::cpu::kFloatTiers), \
                           ::tandem::cpu::TierName)
