#include "vision/geometry.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"

namespace tandem {
namespace {

constexpr double kMostRatio = 200;

/// Sides in double, as the reference computes them.
struct Sides {
  double height;
  double width;
};

Status CheckRatio(const Sides& sides, std::string_view name) {
  const auto [shorter, longer] = std::minmax(sides.height, sides.width);
  if (!(shorter > 0) || longer / shorter > kMostRatio) {
    return {StatusCode::kInvalidArgument,
            Format("{}: the picture is {} x {} pixels; one side may be at most {} times the other",
                   name, sides.width, sides.height, kMostRatio)};
  }
  return OkStatus();
}

PixelSize Blocks(const Sides& blocks, double factor) {
  return {static_cast<std::uint64_t>(blocks.height * factor),
          static_cast<std::uint64_t>(blocks.width * factor)};
}

// frames: of the area that is compared with the range; rounded_frames: the reference's t_bar.
PixelSize FitBlocks(const Sides& sides, double frames, double rounded_frames,
                    const PixelRange& range, double factor) {
  // nearbyint rounds halves to even, as Python's round does.
  Sides blocks = {std::nearbyint(sides.height / factor), std::nearbyint(sides.width / factor)};
  const double area = rounded_frames * (blocks.height * factor) * (blocks.width * factor);
  const auto min = static_cast<double>(range.min);
  const auto max = static_cast<double>(range.max);
  const double source = frames * sides.height * sides.width;
  if (area > max) {
    const double beta = std::sqrt(source / max);
    blocks.height = std::max(1.0, std::floor(sides.height / beta / factor));
    blocks.width = std::max(1.0, std::floor(sides.width / beta / factor));
  } else if (area < min) {
    const double beta = std::sqrt(min / source);
    blocks.height = std::ceil(sides.height * beta / factor);
    blocks.width = std::ceil(sides.width * beta / factor);
  }
  // A range without a minimum may leave a side of nothing, where the reference fails.
  blocks.height = std::max(1.0, blocks.height);
  blocks.width = std::max(1.0, blocks.width);
  return Blocks(blocks, factor);
}

}  // namespace

Result<PixelSize> ImageSize(const PixelSize& size, const PixelRange& range, const PatchShape& shape,
                            std::string_view name) {
  const Sides sides = {static_cast<double>(size.height), static_cast<double>(size.width)};
  TANDEM_RETURN_IF_ERROR(CheckRatio(sides, name));
  return FitBlocks(sides, 1, 1, range, static_cast<double>(shape.factor()));
}

Result<PixelSize> VideoSize(std::uint64_t frames, const PixelSize& size, const PixelRange& range,
                            const PatchShape& shape, std::string_view name) {
  const auto factor = static_cast<double>(shape.factor());
  Sides sides = {static_cast<double>(size.height), static_cast<double>(size.width)};
  if (sides.height < factor || sides.width < factor) {
    const double scale = std::max(factor / sides.height, factor / sides.width);
    sides = {std::trunc(sides.height * scale), std::trunc(sides.width * scale)};
  }
  TANDEM_RETURN_IF_ERROR(CheckRatio(sides, name));
  const auto count = static_cast<double>(frames);
  return FitBlocks(sides, count, std::nearbyint(count / 2) * 2, range, factor);
}

std::vector<std::uint64_t> SampleFrames(std::uint64_t total, double fps,
                                        const VisionLimits& limits) {
  const double wanted = std::trunc(static_cast<double>(total) / fps * limits.fps);
  std::uint64_t count = limits.max_frames;
  if (wanted < static_cast<double>(limits.max_frames)) {
    count = static_cast<std::uint64_t>(wanted);
  }
  count = std::min({std::max(count, limits.min_frames), limits.max_frames, total});
  std::vector<std::uint64_t> indices(count);
  const double step =
      count > 1 ? static_cast<double>(total - 1) / static_cast<double>(count - 1) : 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    indices[i] = static_cast<std::uint64_t>(std::nearbyint(static_cast<double>(i) * step));
  }
  if (count > 1) {
    indices.back() = total - 1;
  }
  return indices;
}

std::vector<double> PairSeconds(const std::vector<std::uint64_t>& indices, double fps) {
  std::vector<double> seconds;
  for (std::size_t i = 0; i < indices.size(); i += 2) {
    const std::uint64_t partner = indices[std::min(i + 1, indices.size() - 1)];
    seconds.push_back((static_cast<double>(indices[i]) / fps + static_cast<double>(partner) / fps) /
                      2);
  }
  return seconds;
}

}  // namespace tandem
