#include "vision/resize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/check.h"

namespace tandem {
namespace {

constexpr double kHalfWidth = 2;  // of the cubic kernel
constexpr int kMostPrecision = 22;

// Keys' kernel with a = -0.5.
double Cubic(double x) {
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1) {
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  }
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/// For each sample of one axis of the result: the source samples it sums, with integer weights.
struct Filter {
  struct Window {
    std::size_t first = 0;
    std::size_t count = 0;
  };
  std::vector<Window> windows;
  std::size_t taps = 0;  // room per sample in `weights`
  std::vector<std::int32_t> weights;
  int precision = 0;  // weights are times 2^precision
};

Filter MakeFilter(std::size_t in, std::size_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);
  const double reach = kHalfWidth * stretch;
  Filter filter;
  filter.taps = static_cast<std::size_t>(std::ceil(reach)) * 2 + 1;
  filter.windows.resize(out);
  filter.weights.resize(out * filter.taps);
  std::vector<double> weights(out * filter.taps);
  double largest = 0;
  for (std::size_t x = 0; x < out; ++x) {
    const double center = (static_cast<double>(x) + 0.5) * scale;
    const double begin = std::max(0.0, std::trunc(center - reach + 0.5));
    const double end = std::min(static_cast<double>(in), std::trunc(center + reach + 0.5));
    const auto first = static_cast<std::size_t>(begin);
    const std::size_t count =
        std::min(end > begin ? static_cast<std::size_t>(end - begin) : 0, filter.taps);
    filter.windows[x] = {first, count};
    double* row = weights.data() + x * filter.taps;
    double sum = 0;
    for (std::size_t j = 0; j < count; ++j) {
      row[j] = Cubic((static_cast<double>(first + j) + 0.5 - center) / stretch);
      sum += row[j];
    }
    for (std::size_t j = 0; j < count && sum != 0; ++j) {
      row[j] /= sum;
      largest = std::max(largest, row[j]);
    }
  }
  // The most bits for which the largest weight still fits 16 of them, as the reference's loop
  // finds.
  while (filter.precision < kMostPrecision &&
         std::trunc(0.5 + largest * std::ldexp(1.0, filter.precision + 1)) < 32768) {
    ++filter.precision;
  }
  for (std::size_t i = 0; i < weights.size(); ++i) {
    filter.weights[i] =
        static_cast<std::int32_t>(std::round(weights[i] * std::ldexp(1.0, filter.precision)));
  }
  return filter;
}

std::uint8_t Narrow(std::int32_t sum, int precision) {
  return static_cast<std::uint8_t>(std::clamp(sum >> precision, 0, 255));
}

Picture ResizeWidth(const Picture& from, std::size_t width) {
  const Filter filter = MakeFilter(from.width, width);
  const std::int32_t half = 1 << (filter.precision - 1);
  Picture to(from.height, width);
  for (std::size_t y = 0; y < from.height; ++y) {
    std::uint8_t* out = to.Row(y);
    for (std::size_t x = 0; x < width; ++x, out += 3) {
      const std::uint8_t* pixel = from.Row(y) + 3 * filter.windows[x].first;
      const std::int32_t* weight = filter.weights.data() + x * filter.taps;
      std::int32_t r = half;
      std::int32_t g = half;
      std::int32_t b = half;
      for (std::size_t j = 0; j < filter.windows[x].count; ++j, pixel += 3) {
        r += weight[j] * pixel[0];
        g += weight[j] * pixel[1];
        b += weight[j] * pixel[2];
      }
      out[0] = Narrow(r, filter.precision);
      out[1] = Narrow(g, filter.precision);
      out[2] = Narrow(b, filter.precision);
    }
  }
  return to;
}

Picture ResizeHeight(const Picture& from, std::size_t height) {
  const Filter filter = MakeFilter(from.height, height);
  const std::int32_t half = 1 << (filter.precision - 1);
  Picture to(height, from.width);
  const std::size_t n = from.row_bytes();
  std::vector<std::int32_t> sums(n);
  for (std::size_t y = 0; y < height; ++y) {
    std::fill(sums.begin(), sums.end(), half);
    for (std::size_t j = 0; j < filter.windows[y].count; ++j) {
      const std::int32_t weight = filter.weights[y * filter.taps + j];
      const std::uint8_t* row = from.Row(filter.windows[y].first + j);
      for (std::size_t i = 0; i < n; ++i) {
        sums[i] += weight * row[i];
      }
    }
    std::uint8_t* out = to.Row(y);
    for (std::size_t i = 0; i < n; ++i) {
      out[i] = Narrow(sums[i], filter.precision);
    }
  }
  return to;
}

}  // namespace

Picture Resize(Picture picture, const PixelSize& size) {
  TANDEM_CHECK(picture.width > 0 && picture.height > 0 && size.width > 0 && size.height > 0,
               "only pictures with pixels are resized");
  if (size.width != picture.width) {
    picture = ResizeWidth(picture, size.width);
  }
  if (size.height != picture.height) {
    picture = ResizeHeight(picture, size.height);
  }
  return picture;
}

}  // namespace tandem
