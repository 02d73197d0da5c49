#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/mat.h"
#include "vision/geometry.h"
#include "vision/picture.h"

namespace tandem {

/// A picture or clip at the size the tower reads it.
struct PreparedMedia {
  std::vector<Picture> frames;  // one picture; or the frames of a clip, any number
  bool video = false;
  PixelSize source;  // before resizing
  PatchGrid grid;
  std::vector<double> pair_seconds;  // of each step in time of a clip; empty for a picture
};

/// Frames that share one step in time: a still picture fills both with itself, an odd last frame of
/// a clip likewise.
inline constexpr std::size_t kFramesPerStep = 2;

/// Resizes a picture. Errors of ImageSize.
Result<PreparedMedia> PrepareImage(const Picture& picture, const PixelRange& range,
                                   const PatchShape& shape, std::string_view name);

/// Values of one patch: channel, frame of the pair, y, x.
inline std::size_t PatchValues(const PatchShape& shape) {
  return 3 * kFramesPerStep * shape.patch * shape.patch;
}

/// Writes the patches [first, first + out.rows) of the whole grid as the tower wants them:
/// (x - 127.5) / 127.5. Order: steps in time, blocks of merge x merge patches row by row, in a
/// block row by row. Source: transformers, Qwen2VLImageProcessor and Qwen3VLVideoProcessor,
/// patchify.
void FillPatches(const PreparedMedia& media, const PatchShape& shape, std::size_t first,
                 Mat<float> out_NP);

/// Row and column of patch `index` of one step in time.
struct PatchPlace {
  std::size_t row = 0;
  std::size_t col = 0;
};
PatchPlace PlaceOf(std::size_t index, const PatchGrid& grid, std::size_t merge);

}  // namespace tandem
