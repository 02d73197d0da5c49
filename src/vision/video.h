#pragma once

#include <atomic>
#include <string>

#include "base/status.h"
#include "vision/clip_output.h"
#include "vision/geometry.h"
#include "vision/patches.h"

namespace tandem {

/// A clip to read.
struct ClipFile {
  std::string file;
  std::string name = "";        // what errors call it; empty: as the file
  bool self_contained = false;  // only formats that cannot name other files, for clips of strangers

  const std::string& shown() const { return name.empty() ? file : name; }
};

/// Asks ffprobe. count_decoded: count the frames that can be decoded (slow) instead of the packets.
/// Unsupported when FFmpeg is not installed or there is no video stream, Corrupt when ffprobe
/// cannot read the file, InvalidArgument for frames larger than pictures may be.
Result<ClipInfo> ProbeClip(const ClipFile& clip, bool count_decoded,
                           const std::atomic<bool>* cancel);

/// Reads the frames that the reference samples, resized, with the times of their pairs. The
/// system's ffmpeg decodes, in a process of its own (docs/adr/0002-video-process.md). Errors as
/// ProbeClip; InvalidArgument for a clip of one frame; Corrupt for one that breaks off.
Result<PreparedMedia> PrepareVideo(const ClipFile& clip, const VisionLimits& limits,
                                   const PatchShape& shape, const std::atomic<bool>* cancel);

}  // namespace tandem
