#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "base/format.h"
#include "base/half.h"
#include "io/file.h"
#include "quant/blocks.h"
#include "quant/formats.h"
#include "tests/support/shared_data.h"

namespace tandem::quant {
namespace {

TEST(Formats, AgreeWithTheContainersTable) {
  for (const Format& format : Formats()) {
    const gguf::TensorTypeInfo& info = gguf::Info(format.type);
    EXPECT_EQ(format.name, info.name);
    EXPECT_EQ(format.block_len, info.block_len) << format.name;
    EXPECT_EQ(format.block_bytes, info.block_bytes) << format.name;
    EXPECT_EQ(FindFormat(format.type), &format);
  }
}

TEST(Formats, AreFoundByNameInAnyCase) {
  EXPECT_EQ(FindFormat("q8_0")->type, gguf::TensorType::kQ8_0);
  EXPECT_EQ(FindFormat("BF16")->type, gguf::TensorType::kBF16);
  EXPECT_EQ(FindFormat("q8"), nullptr);
  EXPECT_EQ(FindFormat(""), nullptr);
  EXPECT_EQ(RequireFormat(gguf::TensorType::kNVFP4, "blk.0.w").status().message(),
            "tensor 'blk.0.w' has type NVFP4, which cannot be decoded");
}

class DecodesBitForBit : public testing::TestWithParam<std::string> {};

TEST_P(DecodesBitForBit, AsTheReference) {
  TANDEM_SHARED_OR_SKIP(folder, "quants");
  const Format* format = FindFormat(GetParam());
  ASSERT_NE(format, nullptr);
  const std::string blocks = ReadFile(folder / (GetParam() + ".blocks.bin")).value();
  const std::string expected = ReadFile(folder / (GetParam() + ".f32.bin")).value();
  const std::size_t count = blocks.size() / format->block_bytes;
  ASSERT_GT(count, 0U);
  ASSERT_EQ(expected.size(), count * format->block_len * sizeof(float));
  // At an odd address: nothing may rely on alignment.
  std::vector<char> shifted(blocks.size() + 1);
  std::memcpy(shifted.data() + 1, blocks.data(), blocks.size());
  std::vector<float> out(count * format->block_len);
  Decode(*format, std::as_bytes(std::span(shifted)).subspan(1), out);
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint32_t want = 0;
    std::memcpy(&want, expected.data() + i * sizeof(want), sizeof(want));
    ASSERT_EQ(std::bit_cast<std::uint32_t>(out[i]), want) << "value " << i << ": " << out[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Quant, DecodesBitForBit,
                         testing::Values("F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0",
                                         "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS",
                                         "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS",
                                         "IQ3_S", "TQ1_0", "TQ2_0", "MXFP4"),
                         [](const auto& test) { return test.param; });

std::vector<std::byte> Encoded(std::string_view name, const std::vector<float>& values) {
  const Format& format = *FindFormat(name);
  std::vector<std::byte> bytes(format.RowBytes(values.size()));
  Encode(format, values, bytes);
  return bytes;
}

std::vector<float> RoundTrip(std::string_view name, const std::vector<float>& values) {
  std::vector<float> out(values.size());
  Decode(*FindFormat(name), Encoded(name, values), out);
  return out;
}

TEST(Encode, FloatsThatFitSurviveExactly) {
  const std::vector<float> values = {0.0F, -0.0F, 1.0F, -2.5F, 0x1p-14F, 96.0F};
  EXPECT_EQ(RoundTrip("F32", values), values);
  EXPECT_EQ(RoundTrip("F16", values), values);
  EXPECT_EQ(RoundTrip("BF16", values), values);
}

TEST(Encode, Q8_0RoundsAsTheReference) {
  // d = 127 / 127 = 1: codes are the values rounded half away from zero.
  std::vector<float> values(32, 0.0F);
  values[0] = 127;
  values[1] = -0.5F;
  values[2] = 2.5F;
  values[3] = -126.4F;
  values[4] = 0.49999997F;  // adding a half first would round it up
  values[5] = -2.5F;
  const std::vector<std::byte> bytes = Encoded("Q8_0", values);
  BlockQ8_0 block{};
  std::memcpy(&block, bytes.data(), sizeof(block));
  EXPECT_EQ(HalfToFloat(block.d), 1.0F);
  EXPECT_EQ(block.qs[0], 127);
  EXPECT_EQ(block.qs[1], -1);
  EXPECT_EQ(block.qs[2], 3);
  EXPECT_EQ(block.qs[3], -126);
  EXPECT_EQ(block.qs[4], 0);
  EXPECT_EQ(block.qs[5], -3);
}

TEST(Encode, Q8_0StaysWithinHalfAStep) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> values(32 * 50);
  for (float& value : values) {
    value = normal(random);
  }
  const std::vector<float> out = RoundTrip("Q8_0", values);
  for (std::size_t b = 0; b < values.size(); b += 32) {
    float largest = 0;
    for (std::size_t i = b; i < b + 32; ++i) {
      largest = std::max(largest, std::fabs(values[i]));
    }
    for (std::size_t i = b; i < b + 32; ++i) {
      // Half a step, plus the scale's own rounding to 11 bits times the code.
      const float bound = largest / 127 * 0.5F + largest * 0x1p-11F + 1e-6F;
      EXPECT_LE(std::fabs(out[i] - values[i]), bound) << i;
    }
  }
}

TEST(Encode, Q8_0OfZerosAndNonFiniteValuesIsDefined) {
  std::vector<float> values(32, 0.0F);
  EXPECT_EQ(RoundTrip("Q8_0", values), values);
  values[3] = std::numeric_limits<float>::infinity();
  values[4] = std::numeric_limits<float>::quiet_NaN();
  Encoded("Q8_0", values);  // the sanitizer watches the conversion
}

}  // namespace
}  // namespace tandem::quant
