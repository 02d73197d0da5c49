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

ResizeFilter MakeFilter(std::size_t in, std::size_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);
  const double reach = kHalfWidth * stretch;
  const std::size_t room = static_cast<std::size_t>(std::ceil(reach)) * 2 + 2;  // even
  ResizeFilter filter;
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

}  // namespace

ResizeStream::ResizeStream(const Picture& from, const PixelSize& size) : from_(from), size_(size) {
  TANDEM_CHECK(from.width > 0 && from.height > 0 && size.width > 0 && size.height > 0,
               "only pictures with pixels are resized");
  if (size.width != from.width) {
    across_ = MakeFilter(from.width, size.width);
    wide_ = Picture(from.height, size.width);
  }
  if (size.height != from.height) {
    down_ = MakeFilter(from.height, size.height);
    out_ = Picture(size.height, size.width);
  }
}

void ResizeStream::Advance(std::size_t rows) {
  if (!across_.windows.empty()) {
    for (; rows_across_ < rows; ++rows_across_) {
      // Bytes that may be read; of the row after only what is there.
      const std::size_t room = (rows - rows_across_) * from_.row_bytes();
      ResizeRow(across_.windows, across_.precision, from_.Row(rows_across_), room,
                wide_.Row(rows_across_));
    }
  }
  const Picture& tall = across_.windows.empty() ? from_ : wide_;
  for (; rows_down_ < down_.windows.size(); ++rows_down_) {
    const ResizeWindow& window = down_.windows[rows_down_];
    if (window.first + window.count > rows) {
      break;
    }
    ResizeColumns(window, down_.precision, tall, out_.Row(rows_down_));
  }
}

Picture ResizeStream::Take() {
  TANDEM_CHECK(rows_down_ == down_.windows.size(), "all rows must have come");
  if (!down_.windows.empty()) {
    return std::move(out_);
  }
  return across_.windows.empty() ? from_ : std::move(wide_);
}

Picture Resize(const Picture& picture, const PixelSize& size) {
  ResizeStream stream(picture, size);
  stream.Advance(picture.height);
  return stream.Take();
}

}  // namespace tandem
