#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "vision/picture.h"

namespace tandem {

/// What a clip's container says of its first video stream.
struct ClipInfo {
  PixelSize size;
  double fps = 0;  // average; 24 when nothing is said
  std::uint64_t frames = 0;
};

// What the programs that read clips print, which follows from hostile files.

/// ffprobe's JSON; nothing when it knows of no video stream. `counter`: the field that holds the
/// number of frames. Corrupt when it is no JSON.
Result<std::optional<ClipInfo>> ReadProbe(std::string_view text, const std::string& counter);

/// "P6\nWIDTH HEIGHT\n255\n", the start of a frame; nothing for anything else.
std::optional<PixelSize> ReadPpmHeader(std::string_view header);

}  // namespace tandem
