#pragma once

#include <filesystem>

#include "base/status.h"
#include "gguf/reader.h"
#include "vision/geometry.h"

namespace tandem {

/// The limits of a vision file: its own keys (`tandem.vision.*`, or those of a merged file), else
/// preprocessor_config.json and video_preprocessor_config.json in `folder` (empty: none), else the
/// published ones. Corrupt, with file and field, for values that make no sense.
Result<VisionLimits> ReadVisionLimits(const gguf::File& file, const std::filesystem::path& folder);

/// As far as the two preprocessor configs say, over what `limits` holds.
Status ReadPreprocessorConfigs(const std::filesystem::path& folder, VisionLimits& limits);

/// InvalidArgument, starting with `name`, unless 0 < min <= max.
Status CheckRange(const PixelRange& range, std::string_view name);

}  // namespace tandem
