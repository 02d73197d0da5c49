#include "vision/limits.h"

#include <cmath>
#include <optional>
#include <string>
#include <system_error>

#include "base/format.h"
#include "io/json.h"

namespace tandem {
namespace {

Status Wrong(const std::filesystem::path& path, std::string_view key) {
  return {StatusCode::kCorrupt,
          Format("{}: '{}' must be a whole number above 0", path.native(), key)};
}

// A positive number of the object, if it is there.
Status ReadCount(const Json& object, const char* key, const std::filesystem::path& path,
                 std::uint64_t& value) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) {
    return OkStatus();
  }
  if (!found->is_number_unsigned() || found->get<std::uint64_t>() == 0) {
    return Wrong(path, key);
  }
  value = found->get<std::uint64_t>();
  return OkStatus();
}

// Edges are areas; older files call them min_pixels and max_pixels.
Status ReadRange(const Json& config, const std::filesystem::path& path, PixelRange& range) {
  TANDEM_RETURN_IF_ERROR(ReadCount(config, "min_pixels", path, range.min));
  TANDEM_RETURN_IF_ERROR(ReadCount(config, "max_pixels", path, range.max));
  const auto size = config.find("size");
  if (size != config.end() && size->is_object()) {
    TANDEM_RETURN_IF_ERROR(ReadCount(*size, "shortest_edge", path, range.min));
    TANDEM_RETURN_IF_ERROR(ReadCount(*size, "longest_edge", path, range.max));
  }
  return CheckRange(range, path.native());
}

// Absent: nothing.
Result<std::optional<Json>> ReadConfig(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return std::optional<Json>();
  }
  TANDEM_ASSIGN_OR_RETURN(Json json, ReadJsonFile(path));
  if (!json.is_object()) {
    return Status(StatusCode::kCorrupt, Format("{}: is no JSON object", path.native()));
  }
  return std::optional<Json>(std::move(json));
}

Status ReadVideoFields(const Json& config, const std::filesystem::path& path,
                       VisionLimits& limits) {
  TANDEM_RETURN_IF_ERROR(ReadRange(config, path, limits.video));
  TANDEM_RETURN_IF_ERROR(ReadCount(config, "min_frames", path, limits.min_frames));
  TANDEM_RETURN_IF_ERROR(ReadCount(config, "max_frames", path, limits.max_frames));
  const auto fps = config.find("fps");
  if (fps == config.end() || fps->is_null()) {
    return OkStatus();
  }
  if (!fps->is_number() || !(fps->get<double>() > 0) || !std::isfinite(fps->get<double>())) {
    return {StatusCode::kCorrupt, Format("{}: 'fps' must be a number above 0", path.native())};
  }
  limits.fps = fps->get<double>();
  return OkStatus();
}

Status ReadKey(const gguf::File& file, const std::string& key, std::uint64_t& value) {
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t read, file.GetUintOr(key, value));
  if (read == 0) {
    return {StatusCode::kCorrupt, Format("{}: {} is 0", file.name(), key)};
  }
  value = read;
  return OkStatus();
}

Status ReadOwnKeys(const gguf::File& file, VisionLimits& limits) {
  const std::string own = "tandem.vision.";
  TANDEM_RETURN_IF_ERROR(ReadKey(file, own + "image_min_pixels", limits.image.min));
  TANDEM_RETURN_IF_ERROR(ReadKey(file, own + "image_max_pixels", limits.image.max));
  TANDEM_RETURN_IF_ERROR(ReadKey(file, own + "video_min_pixels", limits.video.min));
  TANDEM_RETURN_IF_ERROR(ReadKey(file, own + "video_max_pixels", limits.video.max));
  TANDEM_RETURN_IF_ERROR(ReadKey(file, own + "video_min_frames", limits.min_frames));
  TANDEM_RETURN_IF_ERROR(ReadKey(file, own + "video_max_frames", limits.max_frames));
  TANDEM_ASSIGN_OR_RETURN(const float fps,
                          file.GetFloatOr(own + "video_fps", static_cast<float>(limits.fps)));
  if (!(fps > 0) || !std::isfinite(fps)) {
    return {StatusCode::kCorrupt, Format("{}: {}video_fps is {}", file.name(), own, fps)};
  }
  limits.fps = static_cast<double>(fps);
  return OkStatus();
}

}  // namespace

Status CheckRange(const PixelRange& range, std::string_view name) {
  if (range.min == 0 || range.min > range.max) {
    return {StatusCode::kInvalidArgument,
            Format("{}: {} to {} pixels is no range", name, range.min, range.max)};
  }
  return OkStatus();
}

Status ReadPreprocessorConfigs(const std::filesystem::path& folder, VisionLimits& limits) {
  const std::filesystem::path image = folder / "preprocessor_config.json";
  TANDEM_ASSIGN_OR_RETURN(const std::optional<Json> image_config, ReadConfig(image));
  if (image_config.has_value()) {
    TANDEM_RETURN_IF_ERROR(ReadRange(*image_config, image, limits.image));
  }
  const std::filesystem::path video = folder / "video_preprocessor_config.json";
  TANDEM_ASSIGN_OR_RETURN(const std::optional<Json> video_config, ReadConfig(video));
  if (video_config.has_value()) {
    TANDEM_RETURN_IF_ERROR(ReadVideoFields(*video_config, video, limits));
  }
  return OkStatus();
}

Result<VisionLimits> ReadVisionLimits(const gguf::File& file, const std::filesystem::path& folder) {
  VisionLimits limits;
  if (!folder.empty()) {
    TANDEM_RETURN_IF_ERROR(ReadPreprocessorConfigs(folder, limits));
  }
  // A merged file's keys hold for pictures.
  TANDEM_ASSIGN_OR_RETURN(const std::string_view architecture,
                          file.GetStringOr("general.architecture", ""));
  const std::string merged = Format("{}.vision.", architecture);
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t min, file.GetUintOr(merged + "shortest_edge", 0));
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t max, file.GetUintOr(merged + "longest_edge", 0));
  if (min > 0 && max >= min) {
    limits.image = {min, max};
  }
  TANDEM_RETURN_IF_ERROR(ReadOwnKeys(file, limits));
  TANDEM_RETURN_IF_ERROR(CheckRange(limits.image, file.name()));
  TANDEM_RETURN_IF_ERROR(CheckRange(limits.video, file.name()));
  return limits;
}

}  // namespace tandem
