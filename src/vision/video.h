#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/status.h"
#include "vision/geometry.h"
#include "vision/patches.h"

namespace tandem {

/// What a clip's container says of its first video stream.
struct ClipInfo {
  PixelSize size;
  double fps = 0;  // average; 24 when nothing is said
  std::uint64_t frames = 0;
};

/// Asks ffprobe. count_decoded: count the frames that can be decoded (slow) instead of the packets.
/// Unsupported when FFmpeg is not installed or there is no video stream, Corrupt when ffprobe
/// cannot read the file, InvalidArgument for frames larger than pictures may be.
Result<ClipInfo> ProbeClip(const std::string& path, bool count_decoded,
                           const std::atomic<bool>* cancel);

/// Reads the frames that the reference samples, resized, with the times of their pairs. The
/// system's ffmpeg decodes, in a process of its own (docs/adr/0002-video-process.md). Errors as
/// ProbeClip; InvalidArgument for a clip of one frame; Corrupt for one that breaks off.
Result<PreparedMedia> PrepareVideo(const std::string& path, const VisionLimits& limits,
                                   const PatchShape& shape, const std::atomic<bool>* cancel);

}  // namespace tandem
