#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "vision/picture.h"

namespace tandem {

/// Least and most pixels of a resized picture, or of all frames of a clip together.
struct PixelRange {
  std::uint64_t min = 0;
  std::uint64_t max = 0;

  bool operator==(const PixelRange&) const = default;
};

/// How pictures and clips are brought to the tower's grid. The defaults are the published ones.
struct VisionLimits {
  PixelRange image = {65'536, 16'777'216};
  PixelRange video = {4'096, 25'165'824};
  double fps = 2;
  std::uint64_t min_frames = 4;
  std::uint64_t max_frames = 768;

  bool operator==(const VisionLimits&) const = default;
};

/// Patches of `patch` pixels a side; blocks of merge x merge of them become one token.
struct PatchShape {
  std::size_t patch = 16;
  std::size_t merge = 2;

  std::size_t factor() const { return patch * merge; }
};

/// Patches along time (pairs of frames), height and width.
struct PatchGrid {
  std::size_t t = 0;
  std::size_t h = 0;
  std::size_t w = 0;

  std::size_t patches_per_step() const { return h * w; }
  std::size_t patches() const { return t * h * w; }
  bool operator==(const PatchGrid&) const = default;
};

/// The size to which a picture is stretched: sides of whole blocks, an area within `range`.
/// InvalidArgument, starting with `name`, when one side is more than 200 times the other.
/// Source: transformers, models/qwen2_vl/image_processing_qwen2_vl.py, smart_resize; arithmetic in
/// double, halves to even.
Result<PixelSize> ImageSize(const PixelSize& size, const PixelRange& range, const PatchShape& shape,
                            std::string_view name);

/// As ImageSize for `frames` frames of a clip; the range is that of all frames together.
/// Source: transformers, models/qwen3_vl/video_processing_qwen3_vl.py, smart_resize.
Result<PixelSize> VideoSize(std::uint64_t frames, const PixelSize& size, const PixelRange& range,
                            const PatchShape& shape, std::string_view name);

/// Which of `total` frames are looked at, evenly from first to last. fps: of the source, > 0.
/// Source: the same file, sample_frames.
std::vector<std::uint64_t> SampleFrames(std::uint64_t total, double fps,
                                        const VisionLimits& limits);

/// Seconds of each pair of sampled frames: the mean of their times; an odd last frame is its own
/// partner.
std::vector<double> PairSeconds(const std::vector<std::uint64_t>& indices, double fps);

}  // namespace tandem
