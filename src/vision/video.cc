#include "vision/video.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "base/format.h"
#include "io/json.h"
#include "io/child_process.h"
#include "vision/decode.h"
#include "vision/resize.h"

namespace tandem {
namespace {

constexpr std::size_t kMostProbeBytes = std::size_t{1} << 20;
constexpr std::uint64_t kMostFrames = std::uint64_t{1} << 24;  // a week at 25 per second
constexpr double kAssumedFps = 24;

// A file of that very name: no other protocol, no option.
std::string Input(const std::string& path) {
  return Format("file:{}", path);
}

Result<ChildProcess> StartProgram(const std::vector<std::string>& arguments) {
  Result<ChildProcess> child = ChildProcess::Start(arguments);
  if (!child.ok() && child.status().code() == StatusCode::kNotFound) {
    return Status(StatusCode::kUnsupported,
                  Format("clips are read by the programs ffmpeg and ffprobe, and {} is not "
                         "installed",
                         arguments[0]));
  }
  return child;
}

Status Broken(const std::string& path, const ChildProcess& child) {
  const std::string complaint = child.Complaint();
  return {StatusCode::kCorrupt, Format("{}: the clip cannot be read{}{}", path,
                                       complaint.empty() ? "" : ": ", Printable(complaint, 200))};
}

// "30000/1001"; nothing for "0/0" and other nonsense.
std::optional<double> ParseRate(const Json& stream, const char* key) {
  const auto found = stream.find(key);
  if (found == stream.end() || !found->is_string()) {
    return std::nullopt;
  }
  const std::string& text = found->get_ref<const std::string&>();
  double above = 0;
  double below = 0;
  const char* const end = text.data() + text.size();
  const auto [slash, first] = std::from_chars(text.data(), end, above);
  if (first != std::errc() || slash == end || *slash != '/') {
    return std::nullopt;
  }
  const auto [last, second] = std::from_chars(slash + 1, end, below);
  const double rate = above / below;
  return second == std::errc() && std::isfinite(rate) && rate > 0 ? std::optional(rate)
                                                                  : std::nullopt;
}

std::uint64_t ParseCount(const Json& stream, const char* key) {
  const auto found = stream.find(key);
  std::uint64_t count = 0;
  if (found != stream.end() && found->is_string()) {
    const std::string& text = found->get_ref<const std::string&>();
    std::from_chars(text.data(), text.data() + text.size(), count);
  } else if (found != stream.end() && found->is_number_unsigned()) {
    count = found->get<std::uint64_t>();
  }
  return count;
}

/// The frames of one run of ffmpeg as they come: a row of PPM pictures, each with its own size.
class FrameReader {
 public:
  FrameReader(const std::string& path, ChildProcess child, const std::atomic<bool>* cancel)
      : path_(path), child_(std::move(child)), cancel_(cancel) {}

  /// The next frame; an empty picture at the end.
  Result<Picture> Next() {
    TANDEM_ASSIGN_OR_RETURN(const std::optional<PixelSize> size, ReadHeader());
    if (!size.has_value()) {
      return Picture();
    }
    TANDEM_RETURN_IF_ERROR(CheckPictureSize(*size, path_, {}));
    Picture frame(size->height, size->width);
    TANDEM_ASSIGN_OR_RETURN(const std::size_t got,
                            child_.Read(std::as_writable_bytes(std::span(frame.rgb)), cancel_));
    if (got != frame.rgb.size()) {
      child_.Succeeded();
      return Broken(path_, child_);
    }
    return frame;
  }

  Status Finish() { return child_.Succeeded() ? OkStatus() : Broken(path_, child_); }

 private:
  // "P6\nWIDTH HEIGHT\n255\n"; nothing at the end of all frames.
  Result<std::optional<PixelSize>> ReadHeader() {
    std::string header;
    int lines = 0;
    while (lines < 3 && header.size() < 64) {
      char c = 0;
      TANDEM_ASSIGN_OR_RETURN(const std::size_t got,
                              child_.Read(std::as_writable_bytes(std::span(&c, 1)), cancel_));
      if (got == 0) {
        break;
      }
      header += c;
      lines += c == '\n' ? 1 : 0;
    }
    if (header.empty()) {
      return std::optional<PixelSize>();
    }
    PixelSize size;
    const char* at = header.data() + 3;
    const char* const end = header.data() + header.size();
    bool sound = lines == 3 && header.starts_with("P6\n");
    if (sound) {
      const auto [space, first] = std::from_chars(at, end, size.width);
      sound = first == std::errc() && *space == ' ' &&
              std::from_chars(space + 1, end, size.height).ec == std::errc();
    }
    if (!sound) {
      child_.Succeeded();
      return Broken(path_, child_);
    }
    return std::optional(size);
  }

  const std::string& path_;
  ChildProcess child_;
  const std::atomic<bool>* cancel_;
};

// Frames by their numbers, which rise.
std::string SelectFilter(const std::vector<std::uint64_t>& indices) {
  std::string filter = "select=";
  for (std::size_t i = 0; i < indices.size(); ++i) {
    filter += Format("{}eq(n\\,{})", i == 0 ? "" : "+", indices[i]);
  }
  return filter;
}

// Fewer frames than indices when the clip has fewer than its packets promised.
Result<PreparedMedia> ReadFrames(const std::string& path, const std::vector<std::uint64_t>& indices,
                                 const VisionLimits& limits, const PatchShape& shape,
                                 const std::atomic<bool>* cancel) {
  TANDEM_ASSIGN_OR_RETURN(ChildProcess child, StartProgram({"ffmpeg",
                                                            "-nostdin",
                                                            "-v",
                                                            "error",
                                                            "-xerror",
                                                            "-err_detect",
                                                            "explode",
                                                            "-protocol_whitelist",
                                                            "file",
                                                            "-i",
                                                            Input(path),
                                                            "-map",
                                                            "0:V:0",
                                                            "-vf",
                                                            SelectFilter(indices),
                                                            "-fps_mode",
                                                            "passthrough",
                                                            "-frames:v",
                                                            std::to_string(indices.size()),
                                                            "-f",
                                                            "image2pipe",
                                                            "-c:v",
                                                            "ppm",
                                                            "-pix_fmt",
                                                            "rgb24",
                                                            "-"}));
  FrameReader reader(path, std::move(child), cancel);
  PreparedMedia media;
  media.video = true;
  PixelSize size;
  while (true) {
    TANDEM_ASSIGN_OR_RETURN(Picture frame, reader.Next());
    if (frame.rgb.empty()) {
      break;
    }
    if (media.frames.empty()) {
      media.source = frame.size();
      TANDEM_ASSIGN_OR_RETURN(size,
                              VideoSize(indices.size(), media.source, limits.video, shape, path));
    }
    media.frames.push_back(Resize(frame, size));
  }
  TANDEM_RETURN_IF_ERROR(reader.Finish());
  media.grid = {(media.frames.size() + kFramesPerStep - 1) / kFramesPerStep,
                static_cast<std::size_t>(size.height / shape.patch),
                static_cast<std::size_t>(size.width / shape.patch)};
  return media;
}

Status CheckFrames(const std::string& path, std::uint64_t frames) {
  if (frames > kMostFrames) {
    return {StatusCode::kInvalidArgument,
            Format("{}: the clip has {} frames; at most {} are read", path, frames, kMostFrames)};
  }
  return frames >= 2 ? OkStatus()
                     : Status(StatusCode::kInvalidArgument,
                              Format("{}: a clip needs at least two frames, this one has {}", path,
                                     frames));
}

}  // namespace

Result<ClipInfo> ProbeClip(const std::string& path, bool count_decoded,
                           const std::atomic<bool>* cancel) {
  const std::string counter = count_decoded ? "nb_read_frames" : "nb_read_packets";
  TANDEM_ASSIGN_OR_RETURN(
      ChildProcess child,
      StartProgram({"ffprobe", "-v", "error", "-protocol_whitelist", "file", "-select_streams",
                    "V:0", count_decoded ? "-count_frames" : "-count_packets", "-show_entries",
                    Format("stream=width,height,avg_frame_rate,r_frame_rate,{}", counter), "-of",
                    "json", Input(path)}));
  std::string text(kMostProbeBytes, '\0');
  TANDEM_ASSIGN_OR_RETURN(const std::size_t size,
                          child.Read(std::as_writable_bytes(std::span(text)), cancel));
  text.resize(size);
  if (!child.Succeeded()) {
    return Broken(path, child);
  }
  TANDEM_ASSIGN_OR_RETURN(const Json probe, ParseJson(text, "ffprobe's answer"));
  const auto streams = probe.find("streams");
  if (streams == probe.end() || !streams->is_array() || streams->empty()) {
    return Status(StatusCode::kUnsupported, Format("{}: there is no video in this file", path));
  }
  const Json& stream = (*streams)[0];
  ClipInfo info;
  info.size = {ParseCount(stream, "height"), ParseCount(stream, "width")};
  info.frames = ParseCount(stream, counter.c_str());
  info.fps = ParseRate(stream, "avg_frame_rate")
                 .value_or(ParseRate(stream, "r_frame_rate").value_or(kAssumedFps));
  TANDEM_RETURN_IF_ERROR(CheckPictureSize(info.size, path, {}));
  return info;
}

Result<PreparedMedia> PrepareVideo(const std::string& path, const VisionLimits& limits,
                                   const PatchShape& shape, const std::atomic<bool>* cancel) {
  // Packets are counted in no time, and nearly always they are frames; where not, frames are.
  for (const bool count_decoded : {false, true}) {
    TANDEM_ASSIGN_OR_RETURN(const ClipInfo info, ProbeClip(path, count_decoded, cancel));
    TANDEM_RETURN_IF_ERROR(CheckFrames(path, info.frames));
    const std::vector<std::uint64_t> indices = SampleFrames(info.frames, info.fps, limits);
    TANDEM_ASSIGN_OR_RETURN(PreparedMedia media, ReadFrames(path, indices, limits, shape, cancel));
    if (media.frames.size() == indices.size()) {
      media.pair_seconds = PairSeconds(indices, info.fps);
      return media;
    }
  }
  return Status(StatusCode::kCorrupt, Format("{}: the clip breaks off", path));
}

}  // namespace tandem
