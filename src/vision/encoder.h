#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "gguf/file_watch.h"
#include "gguf/model_file.h"
#include "kernels/ops.h"
#include "vision/geometry.h"
#include "vision/tower.h"

namespace tandem {

/// A picture or clip that somebody wants to show: a file, bytes in memory, or an address.
struct MediaSource {
  bool video = false;
  std::string path;       // also what errors call it
  std::string bytes;      // used instead when not empty
  std::string url = "";   // http or https; used when not empty
  std::string file = "";  // of a clip: where it is read, when that is not `path`
};

/// Gets what is at an http or https address; errors name it.
using MediaFetcher = std::function<Result<std::string>(const std::string& url, bool video,
                                                       const std::atomic<bool>* cancel)>;

/// Who watches a picture being looked at, and may stop it.
struct LookWatch {
  const std::atomic<bool>* cancel = nullptr;
  /// Layers done of all; on the thread that looks.
  std::function<void(const MediaSource& source, std::size_t done, std::size_t total)> on_progress =
      nullptr;
};

/// What the tower made of it: rows for the language model in reading order.
struct EncodedMedia {
  bool video = false;
  PixelSize source;   // as in the file, turned upright
  PixelSize resized;  // what the tower saw
  PatchGrid grid;
  std::vector<double> pair_seconds;  // of a clip, one per step in time
  std::size_t tokens_per_step = 0;
  std::size_t width = 0;       // of a row
  std::vector<float> vectors;  // [grid.t * tokens_per_step, width]
  std::uint64_t key = 0;       // names content, size and tower
  double seconds = 0;          // that decoding and encoding took

  std::size_t tokens() const { return grid.t * tokens_per_step; }
};

struct EncoderOptions {
  std::optional<PixelRange> image_pixels = {};  // else what the file says
  std::optional<PixelRange> video_pixels = {};
  std::size_t image_tokens = 0;  // at most so many per picture; 0: as the limits say
  std::size_t threads = 1;
  std::string isa = "auto";
  MediaFetcher fetch = nullptr;  // empty: addresses are refused
};

/// A model's eyes: a vision tower with its limits and what it has seen lately. Thread-safe: one
/// picture is encoded at a time.
class VisionEncoder {
 public:
  /// file: an mmproj, or a merged model; `owned` keeps it alive when nobody else does. folder:
  /// where preprocessor configs may lie, empty for none. Errors of LoadVisionTower,
  /// ReadVisionLimits and MakeCpuOps.
  static Result<std::shared_ptr<VisionEncoder>> Create(const gguf::File& file,
                                                       std::unique_ptr<gguf::ModelFile> owned,
                                                       const std::filesystem::path& folder,
                                                       const EncoderOptions& options);

  /// Reads, resizes and encodes, or remembers. Errors of reading, fetching and decoding, each
  /// naming the file; InvalidArgument for an address when there is no fetcher; Cancelled when the
  /// watch says so; Io when somebody has written to the vision file since it was opened.
  Result<std::shared_ptr<const EncodedMedia>> Encode(const MediaSource& source,
                                                     const LookWatch& watch);

  const TowerConfig& config() const { return tower_->config(); }
  const VisionLimits& limits() const { return limits_; }
  /// Bytes of the vision file, 0 when the model's own file holds the tower.
  std::uint64_t file_bytes() const { return owned_ == nullptr ? 0 : owned_->file_bytes(); }
  /// Bytes that looking at the largest picture takes beside the weights, about.
  std::uint64_t working_bytes() const;
  /// Pictures and clips that went through the tower, those remembered not counted.
  std::size_t encoded_count() const;
  /// The vision file, nullptr when the model's own file holds the tower.
  const gguf::ModelFile* file() const { return owned_.get(); }

 private:
  VisionEncoder() = default;
  using Clock = std::chrono::steady_clock;
  /// What was made of this content before, or nullptr.
  std::shared_ptr<const EncodedMedia> Recall(std::uint64_t key);
  Result<std::shared_ptr<const EncodedMedia>> EncodeRemote(const MediaSource& source,
                                                           const LookWatch& watch);
  Result<std::shared_ptr<const EncodedMedia>> EncodeClip(const MediaSource& source,
                                                         const LookWatch& watch);
  Result<std::shared_ptr<const EncodedMedia>> EncodeNew(const MediaSource& source,
                                                        const PreparedMedia& prepared,
                                                        std::uint64_t key, Clock::time_point start,
                                                        const LookWatch& watch);
  void Remember(const std::shared_ptr<const EncodedMedia>& media);

  std::unique_ptr<gguf::ModelFile> owned_;
  gguf::FileWatch file_watch_;  // of it
  std::unique_ptr<VisionTower> tower_;
  VisionLimits limits_;
  std::uint64_t identity_ = 0;  // of tower and limits

  MediaFetcher fetch_;
  CpuOptions device_;

  mutable std::mutex mutex_;  // guards what follows
  std::unique_ptr<Ops> ops_;  // made for the first picture
  std::size_t encoded_count_ = 0;
  std::map<std::string, std::uint64_t> fetched_;           // key of what was at an address
  std::vector<std::shared_ptr<const EncodedMedia>> seen_;  // latest last
};

}  // namespace tandem
