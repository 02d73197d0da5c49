#include "vision/exif.h"

#include <cstdint>
#include <cstring>
#include <utility>

namespace tandem {
namespace {

constexpr std::uint32_t kOrientationTag = 0x0112;
constexpr std::uint32_t kShort = 3;
constexpr std::size_t kEntryBytes = 12;

/// Numbers of a TIFF block in its own byte order; 0 past the end.
class TiffReader {
 public:
  explicit TiffReader(std::span<const std::byte> bytes) : bytes_(bytes) {
    big_endian_ = bytes.size() >= 2 && bytes[0] == std::byte{'M'} && bytes[1] == std::byte{'M'};
  }

  std::uint32_t Get(std::size_t at, std::size_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) {
      return 0;
    }
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t index = big_endian_ ? i : size - 1 - i;
      value = value << 8 | std::to_integer<std::uint32_t>(bytes_[at + index]);
    }
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  bool big_endian_ = false;
};

}  // namespace

Orientation ReadOrientation(std::span<const std::byte> tiff) {
  const bool marked = tiff.size() >= 8 && (std::memcmp(tiff.data(), "II", 2) == 0 ||
                                           std::memcmp(tiff.data(), "MM", 2) == 0);
  if (!marked) {
    return Orientation::kUpright;
  }
  const TiffReader reader(tiff);
  const std::size_t directory = reader.Get(4, 4);
  const std::size_t entries = reader.Get(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * kEntryBytes;
    if (reader.Get(entry, 2) == kOrientationTag && reader.Get(entry + 2, 2) == kShort) {
      const std::uint32_t value = reader.Get(entry + 8, 2);
      return value >= 1 && value <= 8 ? static_cast<Orientation>(value) : Orientation::kUpright;
    }
  }
  return Orientation::kUpright;
}

Picture Upright(Picture picture, Orientation orientation) {
  if (orientation == Orientation::kUpright) {
    return picture;
  }
  const auto number = static_cast<int>(orientation);
  const bool swapped = number >= 5;
  // Whether the upright picture's rows (columns) run against the stored axis that they come from.
  const bool down_reversed = number == 3 || number == 4 || number == 7 || number == 8;
  const bool right_reversed = number == 2 || number == 3 || number == 6 || number == 7;
  Picture out(swapped ? picture.width : picture.height, swapped ? picture.height : picture.width);
  // A step right (down) in the upright picture is this step in the stored one.
  const auto row = static_cast<std::ptrdiff_t>(picture.row_bytes());
  const std::ptrdiff_t right = (swapped ? row : 3) * (right_reversed ? -1 : 1);
  const std::ptrdiff_t down = (swapped ? 3 : row) * (down_reversed ? -1 : 1);
  const std::uint8_t* corner = picture.rgb.data();
  if (right_reversed) {
    corner -= right * static_cast<std::ptrdiff_t>(out.width - 1);
  }
  if (down_reversed) {
    corner -= down * static_cast<std::ptrdiff_t>(out.height - 1);
  }
  for (std::size_t y = 0; y < out.height; ++y) {
    const std::uint8_t* from = corner + down * static_cast<std::ptrdiff_t>(y);
    std::uint8_t* to = out.Row(y);
    for (std::size_t x = 0; x < out.width; ++x, to += 3) {
      const std::uint8_t* pixel = from + right * static_cast<std::ptrdiff_t>(x);
      to[0] = pixel[0];
      to[1] = pixel[1];
      to[2] = pixel[2];
    }
  }
  return out;
}

}  // namespace tandem
