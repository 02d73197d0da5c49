#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "vision/picture.h"
#include "vision/resize_passes.h"

namespace tandem {

/// The windows of one axis and their weights.
struct ResizeFilter {
  std::vector<ResizeWindow> windows;  // point into `weights`
  std::vector<std::int16_t> weights;
  int precision = 0;
};

/// Resizes a picture whose rows come from the top one after the other, while they come (see
/// Resize). Single-threaded; the picture, whose size and memory must be final, must outlive it.
class ResizeStream {
 public:
  ResizeStream(const Picture& from, const PixelSize& size);
  ResizeStream(const ResizeStream&) = delete;
  ResizeStream& operator=(const ResizeStream&) = delete;

  /// The first `rows` rows are there now: as much of the result is made as they allow.
  void Advance(std::size_t rows);
  /// The result, once all rows were there.
  Picture Take();

 private:
  const Picture& from_;
  PixelSize size_;
  ResizeFilter across_;
  ResizeFilter down_;
  Picture wide_;  // after the width pass; empty when the width stays
  Picture out_;   // empty when the height stays
  std::size_t rows_across_ = 0;
  std::size_t rows_down_ = 0;
};

/// Stretches a picture to `size` (not empty) by the antialiased bicubic filter (a = -0.5), in
/// integers: bit for bit what the reference's 8-bit kernel on a CPU gives. Width first, then
/// height, each pass rounded to 8 bits; an axis of unchanged size is skipped.
/// Source: torch, aten/native/cpu/UpSampleKernel.cpp (uint8, antialias), as an algorithm.
Picture Resize(const Picture& picture, const PixelSize& size);

}  // namespace tandem
