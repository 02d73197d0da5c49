#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace tandem {

/// Height and width in pixels.
struct PixelSize {
  std::uint64_t height = 0;
  std::uint64_t width = 0;

  std::uint64_t area() const { return height * width; }
  bool operator==(const PixelSize&) const = default;
};

/// Memory that is written before it is read need not be zeroed first: of a large picture that would
/// take as long as resizing it.
template <typename T>
struct UnsetAllocator : std::allocator<T> {
  template <typename U>
  struct rebind {  // NOLINT(readability-identifier-naming): allocators name it so
    using other = UnsetAllocator<U>;
  };
  template <typename U>
  void construct(U* at) noexcept {
    ::new (static_cast<void*>(at)) U;
  }
  template <typename U, typename... Arguments>
  void construct(U* at, Arguments&&... arguments) {
    ::new (static_cast<void*>(at)) U(std::forward<Arguments>(arguments)...);
  }
};
using PictureBytes = std::vector<std::uint8_t, UnsetAllocator<std::uint8_t>>;

/// 8-bit RGB, rows from the top, no gaps: pixel (y, x) begins at byte 3 * (y * width + x).
struct Picture {
  std::size_t height = 0;
  std::size_t width = 0;
  PictureBytes rgb;

  Picture() = default;
  /// Its pixels are not set.
  Picture(std::size_t height_in, std::size_t width_in)
      : height(height_in), width(width_in), rgb(3 * height_in * width_in) {}

  std::size_t row_bytes() const { return 3 * width; }
  const std::uint8_t* Row(std::size_t y) const { return rgb.data() + y * row_bytes(); }
  std::uint8_t* Row(std::size_t y) { return rgb.data() + y * row_bytes(); }
  PixelSize size() const { return {height, width}; }
};

}  // namespace tandem
