#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tandem {

/// Height and width in pixels.
struct PixelSize {
  std::uint64_t height = 0;
  std::uint64_t width = 0;

  std::uint64_t area() const { return height * width; }
  bool operator==(const PixelSize&) const = default;
};

/// 8-bit RGB, rows from the top, no gaps: pixel (y, x) begins at byte 3 * (y * width + x).
struct Picture {
  std::size_t height = 0;
  std::size_t width = 0;
  std::vector<std::uint8_t> rgb;

  Picture() = default;
  Picture(std::size_t height_in, std::size_t width_in)
      : height(height_in), width(width_in), rgb(3 * height_in * width_in) {}

  std::size_t row_bytes() const { return 3 * width; }
  const std::uint8_t* Row(std::size_t y) const { return rgb.data() + y * row_bytes(); }
  std::uint8_t* Row(std::size_t y) { return rgb.data() + y * row_bytes(); }
  PixelSize size() const { return {height, width}; }
};

}  // namespace tandem
