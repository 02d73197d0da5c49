#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/status.h"
#include "vision/patches.h"

namespace tandem {

/// Decodes a picture and resizes it for the tower, a large JPEG on a second thread while its rows
/// still come. Errors of DecodePicture and ImageSize.
Result<PreparedMedia> PreparePicture(std::span<const std::byte> bytes, std::string_view name,
                                     const PixelRange& range, const PatchShape& shape);

}  // namespace tandem
