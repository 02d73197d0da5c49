#include "vision/resize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/check.h"
#include "vision/resize_passes.h"

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

/// The windows of one axis and their weights.
struct Filter {
  std::vector<ResizeWindow> windows;  // point into `weights`
  std::vector<std::int16_t> weights;
  int precision = 0;
};

Filter MakeFilter(std::size_t in, std::size_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);
  const double reach = kHalfWidth * stretch;
  const std::size_t room = static_cast<std::size_t>(std::ceil(reach)) * 2 + 2;  // even
  Filter filter;
  filter.windows.resize(out);
  std::vector<double> weights(out * room);
  double largest = 0;
  for (std::size_t x = 0; x < out; ++x) {
    const double center = (static_cast<double>(x) + 0.5) * scale;
    const double begin = std::max(0.0, std::trunc(center - reach + 0.5));
    const double end = std::min(static_cast<double>(in), std::trunc(center + reach + 0.5));
    ResizeWindow& window = filter.windows[x];
    window.first = static_cast<std::size_t>(begin);
    window.count = std::min(end > begin ? static_cast<std::size_t>(end - begin) : 0, room);
    double* row = weights.data() + x * room;
    double sum = 0;
    for (std::size_t j = 0; j < window.count; ++j) {
      row[j] = Cubic((static_cast<double>(window.first + j) + 0.5 - center) / stretch);
      sum += row[j];
    }
    for (std::size_t j = 0; j < window.count && sum != 0; ++j) {
      row[j] /= sum;
      largest = std::max(largest, row[j]);
    }
  }
  // The most bits for which the largest weight still fits 16 of them.
  while (filter.precision < kMostPrecision &&
         std::trunc(0.5 + largest * std::ldexp(1.0, filter.precision + 1)) < 32768) {
    ++filter.precision;
  }
  for (const double weight : weights) {
    filter.weights.push_back(
        static_cast<std::int16_t>(std::round(weight * std::ldexp(1.0, filter.precision))));
  }
  for (std::size_t x = 0; x < out; ++x) {
    filter.windows[x].weights = filter.weights.data() + x * room;
  }
  return filter;
}

Picture ResizeWidth(const Picture& from, std::size_t width) {
  const Filter filter = MakeFilter(from.width, width);
  Picture to(from.height, width);
  for (std::size_t y = 0; y < from.height; ++y) {
    const std::size_t room = from.rgb.size() - y * from.row_bytes();
    ResizeRow(filter.windows, filter.precision, from.Row(y), room, to.Row(y));
  }
  return to;
}

Picture ResizeHeight(const Picture& from, std::size_t height) {
  const Filter filter = MakeFilter(from.height, height);
  Picture to(height, from.width);
  for (std::size_t y = 0; y < height; ++y) {
    ResizeColumns(filter.windows[y], filter.precision, from, to.Row(y));
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
