#pragma once

#include "vision/picture.h"

namespace tandem {

/// Stretches a picture to `size` (not empty) by the antialiased bicubic filter (a = -0.5), in
/// integers: bit for bit what the reference's 8-bit kernel on a CPU gives. Width first, then
/// height, each pass rounded to 8 bits; an axis of unchanged size is skipped.
/// Source: torch, aten/native/cpu/UpSampleKernel.cpp (uint8, antialias), as an algorithm.
Picture Resize(Picture picture, const PixelSize& size);

}  // namespace tandem
