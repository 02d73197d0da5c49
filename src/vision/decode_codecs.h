#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/status.h"
#include "vision/decode.h"
#include "vision/exif.h"

namespace tandem {

/// A picture as its file stores it, and how it is to be turned.
struct StoredPicture {
  Picture picture;
  Orientation orientation = Orientation::kUpright;
};

// One decoder per format, see DecodePicture.
Result<StoredPicture> DecodePng(std::span<const std::byte> bytes, std::string_view name,
                                const DecodeLimits& limits);
Result<StoredPicture> DecodeJpeg(std::span<const std::byte> bytes, std::string_view name,
                                 const DecodeLimits& limits, DecodeObserver* observer);
Result<StoredPicture> DecodeWebp(std::span<const std::byte> bytes, std::string_view name,
                                 const DecodeLimits& limits);

}  // namespace tandem
