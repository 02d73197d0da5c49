#include "base/rng.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

using Words = std::array<std::uint32_t, 4>;

// The three known answers of the authors' Random123 library (kat_vectors, philox4x32 10).
TEST(Philox, GivesThePublishedAnswers) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8}));
  EXPECT_EQ(Philox4x32({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, {0xFFFFFFFF, 0xFFFFFFFF}),
            (Words{0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD}));
  EXPECT_EQ(Philox4x32({0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344}, {0xA4093822, 0x299F31D0}),
            (Words{0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1}));
}

TEST(UniformAt, IsSpreadEvenlyOverPositionsAndSeeds) {
  std::array<int, 16> by_position{};
  std::array<int, 16> by_seed{};
  constexpr int kDraws = 16'000;
  for (int i = 0; i < kDraws; ++i) {
    const auto index = static_cast<std::uint64_t>(i);
    const double a = UniformAt(7, index);
    const double b = UniformAt(index, 7);
    ASSERT_TRUE(a >= 0 && a < 1 && b >= 0 && b < 1);
    ++by_position[static_cast<std::size_t>(a * 16)];
    ++by_seed[static_cast<std::size_t>(b * 16)];
  }
  // 1,000 expected per bin with a standard deviation of 31.
  for (std::size_t bin = 0; bin < 16; ++bin) {
    EXPECT_NEAR(by_position[bin], 1000, 150);
    EXPECT_NEAR(by_seed[bin], 1000, 150);
  }
}

}  // namespace
}  // namespace tandem
