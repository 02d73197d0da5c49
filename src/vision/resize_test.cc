#include "vision/resize.h"

#include <cmath>

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

}  // namespace
}  // namespace tandem
