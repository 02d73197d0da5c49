#include "vision/resize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace tandem {
namespace {

// A picture of one row (or column) whose three channels are equal.
Picture Line(const std::vector<int>& values, bool column) {
  Picture picture(column ? values.size() : 1, column ? 1 : values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      picture.rgb[3 * i + c] = static_cast<std::uint8_t>(values[i]);
    }
  }
  return picture;
}

std::vector<int> FirstChannel(const Picture& picture) {
  std::vector<int> values;
  for (std::size_t i = 0; i < picture.rgb.size(); i += 3) {
    EXPECT_EQ(picture.rgb[i], picture.rgb[i + 1]);
    EXPECT_EQ(picture.rgb[i], picture.rgb[i + 2]);
    values.push_back(picture.rgb[i]);
  }
  return values;
}

// The reference's results, given in its specification here.
TEST(Resize, OneAxisIsTheReferences) {
  const std::vector<int> up = {0, 26, 74, 114, 199, 255};
  const std::vector<int> down = {0, 149, 183, 59};
  EXPECT_EQ(FirstChannel(Resize(Line({0, 64, 128, 255}, false), {1, 6})), up);
  EXPECT_EQ(FirstChannel(Resize(Line({0, 64, 128, 255}, true), {6, 1})), up);
  EXPECT_EQ(FirstChannel(Resize(Line({0, 10, 200, 255, 30, 90}, false), {1, 4})), down);
  EXPECT_EQ(FirstChannel(Resize(Line({0, 10, 200, 255, 30, 90}, true), {4, 1})), down);
}

TEST(Resize, LeavesAnUnchangedSizeAlone) {
  const Picture picture = Line({1, 200, 3, 77}, false);
  EXPECT_EQ(Resize(picture, {1, 4}).rgb, picture.rgb);
}

TEST(Resize, FlatColoursStayFlatAtEverySize) {
  for (const std::size_t in : {1UL, 2UL, 7UL, 33UL, 640UL}) {
    for (const std::size_t out : {1UL, 3UL, 32UL, 65UL}) {
      Picture picture(in, in / 2 + 1);
      std::fill(picture.rgb.begin(), picture.rgb.end(), std::uint8_t{201});
      const Picture resized = Resize(picture, {out, out + 1});
      for (const std::uint8_t value : resized.rgb) {
        ASSERT_NEAR(value, 201, 1) << in << " to " << out;
      }
    }
  }
}

// The algorithm against the same filter in double, which may round the other way.
TEST(Resize, IsTheAntialiasedCubicFilter) {
  const std::size_t in = 50;
  const std::size_t out = 21;
  std::vector<int> values;
  for (std::size_t i = 0; i < in; ++i) {
    values.push_back(static_cast<int>(128 + 100 * std::sin(static_cast<double>(i) * 0.7)));
  }
  const std::vector<int> resized = FirstChannel(Resize(Line(values, false), {1, out}));
  const auto cubic = [](double x) {
    x = std::fabs(x);
    return x < 1 ? 1.5 * x * x * x - 2.5 * x * x + 1
                 : (x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0);
  };
  const double scale = static_cast<double>(in) / out;
  for (std::size_t x = 0; x < out; ++x) {
    double sum = 0;
    double total = 0;
    for (std::size_t j = 0; j < in; ++j) {
      const double w =
          cubic((static_cast<double>(j) + 0.5) / scale - (static_cast<double>(x) + 0.5));
      sum += w * values[j];
      total += w;
    }
    EXPECT_NEAR(resized[x], sum / total, 0.6) << x;
  }
}

// One sample as the formula says, in integers.
int Sample(const std::vector<int>& values, std::size_t out, std::size_t x) {
  const auto in = static_cast<double>(values.size());
  const double scale = in / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);
  const auto weights_of = [&](std::size_t at, std::size_t& first) {
    const double center = (static_cast<double>(at) + 0.5) * scale;
    first = static_cast<std::size_t>(std::max(0.0, std::trunc(center - 2 * stretch + 0.5)));
    const double end = std::min(in, std::trunc(center + 2 * stretch + 0.5));
    std::vector<double> weights;
    double sum = 0;
    for (std::size_t j = first; static_cast<double>(j) < end; ++j) {
      const double d = std::fabs((static_cast<double>(j) + 0.5 - center) / stretch);
      weights.push_back(d < 1 ? (1.5 * d - 2.5) * d * d + 1
                              : (d < 2 ? (((d - 5) * d + 8) * d - 4) * -0.5 : 0));
      sum += weights.back();
    }
    for (double& weight : weights) {
      weight /= sum;
    }
    return weights;
  };
  double largest = 0;
  std::size_t first = 0;
  for (std::size_t i = 0; i < out; ++i) {
    for (const double weight : weights_of(i, first)) {
      largest = std::max(largest, weight);
    }
  }
  int precision = 22;
  while (std::trunc(0.5 + largest * std::ldexp(1.0, precision)) >= 32768) {
    --precision;
  }
  std::int64_t sum = std::int64_t{1} << (precision - 1);
  const std::vector<double> weights = weights_of(x, first);
  for (std::size_t j = 0; j < weights.size(); ++j) {
    sum += std::llround(weights[j] * std::ldexp(1.0, precision)) * values[first + j];
  }
  return static_cast<int>(std::clamp<std::int64_t>(sum >> precision, 0, 255));
}

TEST(Resize, EverySampleIsTheFormulas) {
  std::uint32_t random = 1;
  for (const auto& [in, out] : {std::pair(1, 5), std::pair(2, 7), std::pair(37, 64),
                                std::pair(211, 96), std::pair(64, 64 * 3), std::pair(500, 33)}) {
    std::vector<int> values;
    for (int i = 0; i < in; ++i) {
      random = random * 1664525 + 1013904223;
      values.push_back(static_cast<int>(random >> 24));
    }
    const auto n = static_cast<std::size_t>(out);
    std::vector<int> want;
    for (std::size_t x = 0; x < n; ++x) {
      want.push_back(Sample(values, n, x));
    }
    EXPECT_EQ(FirstChannel(Resize(Line(values, false), {1, n})), want) << in << " to " << out;
    EXPECT_EQ(FirstChannel(Resize(Line(values, true), {n, 1})), want) << in << " to " << out;
    // Beside others, where several samples are summed at once.
    Picture wide(values.size(), 13);
    for (std::size_t i = 0; i < wide.rgb.size(); ++i) {
      wide.rgb[i] = static_cast<std::uint8_t>(values[i / wide.row_bytes()]);
    }
    const Picture tall = Resize(wide, {n, 13});
    for (std::size_t i = 0; i < tall.rgb.size(); ++i) {
      ASSERT_EQ(tall.rgb[i], want[i / tall.row_bytes()]) << in << " to " << out;
    }
  }
}

}  // namespace
}  // namespace tandem
