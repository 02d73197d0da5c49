#pragma once

#include <cstddef>
#include <span>

#include "vision/picture.h"

namespace tandem {

/// Where the top left corner of the upright picture lies in the stored one; the numbers are those
/// of EXIF tag 0x0112.
enum class Orientation {
  kUpright = 1,
  kMirrored = 2,
  kRotated180 = 3,
  kFlipped = 4,
  kTransposed = 5,
  kRotate90 = 6,  // the stored picture must be turned clockwise
  kTransversed = 7,
  kRotate270 = 8,
};

/// The orientation in a TIFF block (what follows "Exif\0\0" in a JPEG); kUpright when it has none
/// or makes no sense, as every reader of pictures does.
/// Source: CIPA DC-008 (Exif 2.32), 4.5.2 and 4.6.4.
Orientation ReadOrientation(std::span<const std::byte> tiff);

/// The picture turned upright.
Picture Upright(Picture picture, Orientation orientation);

}  // namespace tandem
