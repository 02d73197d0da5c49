#include "vision/patches.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "vision/resize.h"

namespace tandem {
namespace {

std::array<float, 256> NormalisedBytes() {
  std::array<float, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] = (static_cast<float>(i) - 127.5F) / 127.5F;
  }
  return table;
}

// One frame's part of a patch: three planes, `plane_stride` values apart.
void FillFrame(const Picture& frame, const PatchPlace& place, std::size_t patch,
               const std::array<float, 256>& table, std::size_t plane_stride, float* out) {
  for (std::size_t y = 0; y < patch; ++y) {
    const std::uint8_t* pixel = frame.Row(place.row * patch + y) + 3 * place.col * patch;
    float* to = out + y * patch;
    for (std::size_t x = 0; x < patch; ++x, pixel += 3) {
      to[x] = table[pixel[0]];
      to[plane_stride + x] = table[pixel[1]];
      to[2 * plane_stride + x] = table[pixel[2]];
    }
  }
}

}  // namespace

PatchPlace PlaceOf(std::size_t index, const PatchGrid& grid, std::size_t merge) {
  const std::size_t block = index / (merge * merge);
  const std::size_t within = index % (merge * merge);
  const std::size_t blocks_w = grid.w / merge;
  return {block / blocks_w * merge + within / merge, block % blocks_w * merge + within % merge};
}

Result<PreparedMedia> PrepareImage(const Picture& picture, const PixelRange& range,
                                   const PatchShape& shape, std::string_view name) {
  PreparedMedia media;
  media.source = picture.size();
  TANDEM_ASSIGN_OR_RETURN(const PixelSize size, ImageSize(media.source, range, shape, name));
  media.grid = {1, static_cast<std::size_t>(size.height / shape.patch),
                static_cast<std::size_t>(size.width / shape.patch)};
  media.frames.push_back(Resize(picture, size));
  return media;
}

void FillPatches(const PreparedMedia& media, const PatchShape& shape, std::size_t first,
                 Mat<float> out_NP) {
  static const std::array<float, 256> kTable = NormalisedBytes();
  TANDEM_CHECK(out_NP.cols == PatchValues(shape) && first + out_NP.rows <= media.grid.patches(),
               "patch rows");
  const std::size_t plane = shape.patch * shape.patch;
  for (std::size_t i = 0; i < out_NP.rows; ++i) {
    const std::size_t step = (first + i) / media.grid.patches_per_step();
    const PatchPlace place =
        PlaceOf((first + i) % media.grid.patches_per_step(), media.grid, shape.merge);
    const std::size_t first_frame = step * kFramesPerStep;
    float* out = out_NP.Row(i);
    FillFrame(media.frames[first_frame], place, shape.patch, kTable, kFramesPerStep * plane, out);
    if (first_frame + 1 < media.frames.size()) {
      FillFrame(media.frames[first_frame + 1], place, shape.patch, kTable, kFramesPerStep * plane,
                out + plane);
      continue;
    }
    for (std::size_t channel = 0; channel < 3; ++channel) {  // the frame stands for both
      float* planes = out + channel * kFramesPerStep * plane;
      std::copy_n(planes, plane, planes + plane);
    }
  }
}

}  // namespace tandem
