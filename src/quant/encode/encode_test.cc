#include <bit>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "quant/encode/encoder_table.h"
#include "quant/formats.h"

namespace tandem::quant {
namespace {

/// A searched format, and the relative root mean square error that ggml's reference encoder
/// (without importance) leaves on normally distributed values, measured on 2^19 of them.
struct Case {
  const char* name;
  BlockEncoder EncoderTable::*field;
  double reference_error;
};

constexpr Case kCases[] = {
    {"Q4_0", &EncoderTable::q4_0, 0.0859},      {"Q4_1", &EncoderTable::q4_1, 0.0782},
    {"Q5_0", &EncoderTable::q5_0, 0.04274},     {"Q5_1", &EncoderTable::q5_1, 0.03785},
    {"Q2_K", &EncoderTable::q2_k, 0.2968},      {"Q3_K", &EncoderTable::q3_k, 0.1508},
    {"Q4_K", &EncoderTable::q4_k, 0.07135},     {"Q5_K", &EncoderTable::q5_k, 0.03611},
    {"Q6_K", &EncoderTable::q6_k, 0.01776},     {"IQ4_NL", &EncoderTable::iq4_nl, 0.07612},
    {"IQ4_XS", &EncoderTable::iq4_xs, 0.07671},
};

std::vector<float> Normals(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0F, 0.02F);
  std::vector<float> values(n);
  for (float& value : values) {
    value = normal(random);
  }
  return values;
}

class SearchedFormat : public testing::TestWithParam<Case> {
 protected:
  const Format& format() const { return *FindFormat(GetParam().name); }

  std::vector<std::byte> Bytes(const std::vector<float>& values) const {
    std::vector<std::byte> bytes(format().RowBytes(values.size()));
    Encode(format(), values, bytes);
    return bytes;
  }
  std::vector<float> Decoded(const std::vector<std::byte>& bytes) const {
    std::vector<float> out(bytes.size() / format().block_bytes * format().block_len);
    Decode(format(), bytes, out);
    return out;
  }
  std::vector<float> RoundTrip(const std::vector<float>& values) const {
    return Decoded(Bytes(values));
  }
};

/// sqrt(sum weight (a - b)^2 / sum weight a^2).
double RelativeError(const std::vector<float>& values, const std::vector<float>& got,
                     const std::vector<float>& weights = {}) {
  double error = 0;
  double power = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double weight = weights.empty() ? 1.0 : static_cast<double>(weights[i % weights.size()]);
    const double value = static_cast<double>(values[i]);
    const double off = value - static_cast<double>(got[i]);
    error += weight * off * off;
    power += weight * value * value;
  }
  return std::sqrt(error / power);
}

TEST_P(SearchedFormat, LosesNoMoreThanTheReference) {
  const std::vector<float> values = Normals(std::size_t{1} << 18, 1);
  EXPECT_LE(RelativeError(values, RoundTrip(values)), 1.01 * GetParam().reference_error);
}

TEST_P(SearchedFormat, LosesLessWhereItMatters) {
  constexpr std::size_t kRow = 1024;
  const std::vector<float> values = Normals(64 * kRow, 2);
  std::vector<float> weights(kRow);
  std::mt19937 random(3);
  std::lognormal_distribution<float> spread(0, 1.5);
  for (float& weight : weights) {
    weight = spread(random);
  }
  std::vector<std::byte> bytes(format().RowBytes(values.size()));
  EncodeRows(format(), values, weights, bytes);
  const double weighted = RelativeError(values, Decoded(bytes), weights);
  const double plain = RelativeError(values, RoundTrip(values), weights);
  EXPECT_LT(weighted, 0.97 * plain);
}

TEST_P(SearchedFormat, GivesABlockTheSameBitsInAnyCompany) {
  const std::size_t length = format().block_len;
  const std::vector<float> values = Normals(37 * length, 4);
  const std::vector<std::byte> all = Bytes(values);
  for (std::size_t block = 0; block < 37; ++block) {
    const std::vector<float> one(
        values.begin() + static_cast<std::ptrdiff_t>(block * length),
        values.begin() + static_cast<std::ptrdiff_t>((block + 1) * length));
    const std::vector<std::byte> alone = Bytes(one);
    ASSERT_EQ(std::memcmp(alone.data(), all.data() + block * format().block_bytes, alone.size()), 0)
        << "block " << block;
  }
}

TEST_P(SearchedFormat, GivesTheSameBitsOnEveryInstructionSet) {
  const std::size_t length = format().block_len;
  const std::vector<float> values = Normals(35 * length, 5);
  std::vector<float> weights = Normals(35 * length, 6);
  for (float& weight : weights) {
    weight = weight * weight;
  }
  const EncoderTable baseline = EncodersOf("baseline");
  for (const char* name : {"avx2", "avx512"}) {
    const EncoderTable tier = EncodersOf(name);
    if (tier.name == nullptr) {
      continue;
    }
    for (const float* importance : std::initializer_list<const float*>{nullptr, weights.data()}) {
      std::vector<std::byte> a(format().RowBytes(values.size()));
      std::vector<std::byte> b(a.size());
      (baseline.*GetParam().field)(values.data(), importance, 35, a.data());
      (tier.*GetParam().field)(values.data(), importance, 35, b.data());
      ASSERT_EQ(a, b) << name;
    }
  }
}

TEST_P(SearchedFormat, KeepsZerosAndScalesWithItsInput) {
  const std::vector<float> zeros(512, 0.0F);
  EXPECT_EQ(RoundTrip(zeros), zeros);
  // Powers of two change no rounding while the scales stay normal halves.
  std::vector<float> values = Normals(1024, 7);
  const double error = RelativeError(values, RoundTrip(values));
  for (float& value : values) {
    value *= 1024.0F;
  }
  EXPECT_NEAR(RelativeError(values, RoundTrip(values)), error, 0.03 * error);
}

TEST_P(SearchedFormat, TakesAnyNumbers) {
  const std::vector<float> extremes = {0.0F,
                                       std::numeric_limits<float>::max(),
                                       std::numeric_limits<float>::infinity(),
                                       std::numeric_limits<float>::quiet_NaN(),
                                       std::numeric_limits<float>::denorm_min(),
                                       -std::numeric_limits<float>::max()};
  for (const float extreme : extremes) {
    std::vector<float> values = Normals(256, 8);
    values[17] = extreme;
    Bytes(values);  // the sanitizer watches
    // Finite scales: what was far away must not turn the file into NaN.
    if (std::isfinite(extreme) && std::fabs(extreme) < 1e30F) {
      for (const float value : RoundTrip(values)) {
        ASSERT_TRUE(std::isfinite(value)) << extreme;
      }
    }
    Bytes(std::vector<float>(256, extreme));
  }
}

TEST_P(SearchedFormat, HandlesEqualValues) {
  for (const float value : {1.0F, -1.0F, 0.3F, -1e-3F}) {
    const std::vector<float> values(256, value);
    EXPECT_LT(RelativeError(values, RoundTrip(values)), 0.04) << value;
  }
}

INSTANTIATE_TEST_SUITE_P(Encode, SearchedFormat, testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace tandem::quant
