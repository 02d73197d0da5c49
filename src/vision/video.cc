#include "vision/video.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "base/format.h"
#include "io/child_process.h"
#include "vision/clip_output.h"
#include "vision/decode.h"
#include "vision/resize.h"

namespace tandem {
namespace {

constexpr std::size_t kMostProbeBytes = std::size_t{1} << 20;
constexpr std::uint64_t kMostFrames = std::uint64_t{1} << 24;  // a week at 25 per second

// Containers that hold all of a clip themselves; playlists and the like name other files.
constexpr const char* kSelfContained =
    "3g2,3gp,apng,asf,av1,avi,dv,flv,gif,h264,hevc,ivf,m4v,matroska,mj2,mjpeg,mov,mp4,mpeg,mpegts,"
    "mpegvideo,mxf,nut,obu,ogg,rm,webm,yuv4mpegpipe";

// A file of that very name: no other protocol, no option.
std::string Input(const ClipFile& clip) {
  return Format("file:{}", clip.file);
}

// What either program is told about the file.
std::vector<std::string> InputOptions(const ClipFile& clip) {
  std::vector<std::string> options = {"-protocol_whitelist", "file"};
  if (clip.self_contained) {
    options.insert(options.end(), {"-format_whitelist", kSelfContained});
  }
  return options;
}

void Append(std::vector<std::string> more, std::vector<std::string>& arguments) {
  arguments.insert(arguments.end(), std::make_move_iterator(more.begin()),
                   std::make_move_iterator(more.end()));
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

Status Broken(const ClipFile& clip, const ChildProcess& child) {
  std::string complaint = child.Complaint();
  if (const std::size_t at = complaint.find(Input(clip)); at != std::string::npos) {
    complaint.replace(at, Input(clip).size(), clip.shown());
  }
  return {StatusCode::kCorrupt, Format("{}: the clip cannot be read{}{}", clip.shown(),
                                       complaint.empty() ? "" : ": ", Printable(complaint, 200))};
}

/// The frames of one run of ffmpeg as they come: a row of PPM pictures, each with its own size.
class FrameReader {
 public:
  FrameReader(const ClipFile& clip, ChildProcess child, const std::atomic<bool>* cancel)
      : clip_(clip), child_(std::move(child)), cancel_(cancel) {}

  /// The next frame; an empty picture at the end.
  Result<Picture> Next() {
    TANDEM_ASSIGN_OR_RETURN(const std::optional<PixelSize> size, ReadHeader());
    if (!size.has_value()) {
      return Picture();
    }
    TANDEM_RETURN_IF_ERROR(CheckPictureSize(*size, clip_.shown(), {}));
    Picture frame(size->height, size->width);
    TANDEM_ASSIGN_OR_RETURN(const std::size_t got,
                            child_.Read(std::as_writable_bytes(std::span(frame.rgb)), cancel_));
    if (got != frame.rgb.size()) {
      child_.Succeeded();
      return Broken(clip_, child_);
    }
    return frame;
  }

  Status Finish() { return child_.Succeeded() ? OkStatus() : Broken(clip_, child_); }

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
    const std::optional<PixelSize> size = ReadPpmHeader(header);
    if (!size.has_value()) {
      child_.Succeeded();
      return Broken(clip_, child_);
    }
    return size;
  }

  const ClipFile& clip_;
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
Result<PreparedMedia> ReadFrames(const ClipFile& clip, const std::vector<std::uint64_t>& indices,
                                 const VisionLimits& limits, const PatchShape& shape,
                                 const std::atomic<bool>* cancel) {
  std::vector<std::string> arguments = {"ffmpeg",  "-nostdin",    "-v",     "error",
                                        "-xerror", "-err_detect", "explode"};
  Append(InputOptions(clip), arguments);
  Append({"-i", Input(clip), "-map", "0:V:0", "-vf", SelectFilter(indices), "-fps_mode",
          "passthrough", "-frames:v", std::to_string(indices.size()), "-f", "image2pipe", "-c:v",
          "ppm", "-pix_fmt", "rgb24", "-"},
         arguments);
  TANDEM_ASSIGN_OR_RETURN(ChildProcess child, StartProgram(arguments));
  FrameReader reader(clip, std::move(child), cancel);
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
      TANDEM_ASSIGN_OR_RETURN(
          size, VideoSize(indices.size(), media.source, limits.video, shape, clip.shown()));
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

Result<ClipInfo> ProbeClip(const ClipFile& clip, bool count_decoded,
                           const std::atomic<bool>* cancel) {
  const std::string counter = count_decoded ? "nb_read_frames" : "nb_read_packets";
  std::vector<std::string> arguments = {"ffprobe", "-v", "error"};
  Append(InputOptions(clip), arguments);
  Append({"-select_streams", "V:0", count_decoded ? "-count_frames" : "-count_packets",
          "-show_entries", Format("stream=width,height,avg_frame_rate,r_frame_rate,{}", counter),
          "-of", "json", Input(clip)},
         arguments);
  TANDEM_ASSIGN_OR_RETURN(ChildProcess child, StartProgram(arguments));
  std::string text(kMostProbeBytes, '\0');
  TANDEM_ASSIGN_OR_RETURN(const std::size_t size,
                          child.Read(std::as_writable_bytes(std::span(text)), cancel));
  text.resize(size);
  if (!child.Succeeded()) {
    return Broken(clip, child);
  }
  TANDEM_ASSIGN_OR_RETURN(const std::optional<ClipInfo> info, ReadProbe(text, counter));
  if (!info.has_value()) {
    return Status(StatusCode::kUnsupported,
                  Format("{}: there is no video in this file", clip.shown()));
  }
  TANDEM_RETURN_IF_ERROR(CheckPictureSize(info->size, clip.shown(), {}));
  return *info;
}

Result<PreparedMedia> PrepareVideo(const ClipFile& clip, const VisionLimits& limits,
                                   const PatchShape& shape, const std::atomic<bool>* cancel) {
  // Packets are counted in no time, and nearly always they are frames; where not, frames are.
  for (const bool count_decoded : {false, true}) {
    TANDEM_ASSIGN_OR_RETURN(const ClipInfo info, ProbeClip(clip, count_decoded, cancel));
    TANDEM_RETURN_IF_ERROR(CheckFrames(clip.shown(), info.frames));
    const std::vector<std::uint64_t> indices = SampleFrames(info.frames, info.fps, limits);
    TANDEM_ASSIGN_OR_RETURN(PreparedMedia media, ReadFrames(clip, indices, limits, shape, cancel));
    if (media.frames.size() == indices.size()) {
      media.pair_seconds = PairSeconds(indices, info.fps);
      return media;
    }
  }
  return Status(StatusCode::kCorrupt, Format("{}: the clip breaks off", clip.shown()));
}

}  // namespace tandem
