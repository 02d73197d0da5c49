#include "vision/encoder.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "io/file.h"
#include "io/mapped_file.h"
#include "vision/content_hash.h"
#include "vision/limits.h"
#include "vision/memory_file.h"
#include "vision/patches.h"
#include "vision/prepare.h"
#include "vision/video.h"

namespace tandem {
namespace {

// Rows that are remembered, all pictures together: 64 Mi floats.
constexpr std::size_t kMostRemembered = std::size_t{64} << 20;
// A picture file larger than this is no picture that fits the pixel limits.
constexpr std::uint64_t kMostFileBytes = std::uint64_t{1} << 30;

// Two towers that give different rows must differ here: the directory with its metadata, and a
// sample of the weights.
std::uint64_t IdentityOf(const gguf::File& file) {
  std::uint64_t hash = kHashSeed;
  for (const gguf::KeyValue& item : file.metadata()) {
    if (item.key.find("vision") != std::string_view::npos || item.key == "general.name") {
      hash = HashBytes(std::as_bytes(std::span(item.key)), hash);
      hash = HashBytes(item.value.payload(), hash);
    }
  }
  constexpr std::size_t kSample = 256;
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    if (tensor.name.starts_with("v.") || tensor.name.starts_with("mm.")) {
      hash = HashBytes(std::as_bytes(std::span(tensor.name)), hash);
      hash = HashBytes(tensor.bytes.first(std::min(kSample, tensor.bytes.size())), hash);
    }
  }
  return hash;
}

// A clip's content: all of a small file, evenly spread samples and the size of a large one.
Result<std::uint64_t> HashClip(const std::string& path, std::uint64_t hash) {
  constexpr std::size_t kWhole = std::size_t{64} << 20;
  constexpr std::size_t kSamples = 256;
  constexpr std::size_t kSampleBytes = std::size_t{64} << 10;
  TANDEM_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  const std::span<const std::byte> bytes = file.bytes();
  hash = HashBytes(std::as_bytes(std::span("clip")), hash ^ bytes.size());
  if (bytes.size() <= kWhole) {
    return HashBytes(bytes, hash);
  }
  const std::size_t step = (bytes.size() - kSampleBytes) / (kSamples - 1);
  for (std::size_t i = 0; i < kSamples; ++i) {
    hash = HashBytes(bytes.subspan(i * step, kSampleBytes), hash);
  }
  return hash;
}

template <typename T>
std::uint64_t HashValue(const T& value, std::uint64_t hash) {
  return HashBytes(std::as_bytes(std::span(&value, 1)), hash);
}

}  // namespace

Result<std::shared_ptr<VisionEncoder>> VisionEncoder::Create(const gguf::File& file,
                                                             std::unique_ptr<gguf::ModelFile> owned,
                                                             const std::filesystem::path& folder,
                                                             const EncoderOptions& options) {
  std::shared_ptr<VisionEncoder> encoder(new VisionEncoder());
  TANDEM_ASSIGN_OR_RETURN(encoder->tower_, LoadVisionTower(file));
  TANDEM_ASSIGN_OR_RETURN(encoder->limits_, ReadVisionLimits(file, folder));
  VisionLimits& limits = encoder->limits_;
  limits.image = options.image_pixels.value_or(limits.image);
  limits.video = options.video_pixels.value_or(limits.video);
  if (options.image_tokens > 0) {
    const std::size_t side = encoder->config().shape.factor();
    limits.image.max =
        std::min<std::uint64_t>(limits.image.max, options.image_tokens * side * side);
    limits.image.min = std::min(limits.image.min, limits.image.max);
  }
  encoder->device_ = {.threads = options.threads,
                      .isa = options.isa,
                      .max_rows = kTowerRows,
                      .max_cols = encoder->tower_->widest_input()};
  std::uint64_t identity = IdentityOf(file);
  for (const std::uint64_t value : {limits.image.min, limits.image.max, limits.video.min,
                                    limits.video.max, limits.min_frames, limits.max_frames}) {
    identity = HashValue(value, identity);
  }
  encoder->identity_ = HashValue(limits.fps, identity);
  encoder->owned_ = std::move(owned);
  if (encoder->owned_ != nullptr) {
    encoder->file_watch_ = gguf::FileWatch(*encoder->owned_);
  }
  encoder->fetch_ = options.fetch;
  return encoder;
}

std::uint64_t VisionEncoder::working_bytes() const {
  const std::uint64_t plane = config().shape.patch * config().shape.patch;
  // The picture as it is read, at its new size, and between the two passes.
  return tower_->working_bytes(limits_.image.max / plane) + 3 * 3 * limits_.image.max;
}

std::size_t VisionEncoder::encoded_count() const {
  const std::lock_guard lock(mutex_);
  return encoded_count_;
}

Result<std::shared_ptr<const EncodedMedia>> VisionEncoder::Encode(const MediaSource& source,
                                                                  const LookWatch& watch) {
  if (!source.url.empty()) {
    return EncodeRemote(source, watch);
  }
  if (source.video) {
    if (source.bytes.empty()) {
      return EncodeClip(source, watch);
    }
    TANDEM_ASSIGN_OR_RETURN(const MemoryFile file, MemoryFile::Make(source.bytes));
    MediaSource named = source;
    named.file = file.path();
    return EncodeClip(named, watch);
  }
  std::string file;
  if (source.bytes.empty()) {
    TANDEM_ASSIGN_OR_RETURN(file, ReadFile(source.path, kMostFileBytes));
  }
  const auto bytes = std::as_bytes(std::span(source.bytes.empty() ? file : source.bytes));
  const std::uint64_t content = HashBytes(bytes, identity_);
  const std::lock_guard lock(mutex_);
  if (const auto known = Recall(content)) {
    return known;
  }
  const auto start = Clock::now();
  TANDEM_ASSIGN_OR_RETURN(const PreparedMedia prepared,
                          PreparePicture(bytes, source.path, limits_.image, config().shape));
  return EncodeNew(source, prepared, content, start, watch);
}

Result<std::shared_ptr<const EncodedMedia>> VisionEncoder::EncodeRemote(const MediaSource& source,
                                                                        const LookWatch& watch) {
  {
    const std::lock_guard lock(mutex_);
    const auto fetched = fetched_.find(source.url);
    if (fetched != fetched_.end()) {
      if (const auto known = Recall(fetched->second)) {
        return known;
      }
    }
  }
  if (!fetch_) {
    return Status(StatusCode::kInvalidArgument,
                  Format("{}: what is at an address is fetched only with --allow-url",
                         Printable(source.path)));
  }
  MediaSource local = source;
  local.url.clear();
  TANDEM_ASSIGN_OR_RETURN(local.bytes, fetch_(source.url, source.video, watch.cancel));
  if (local.bytes.empty()) {
    return Status(StatusCode::kCorrupt,
                  Format("{}: there is nothing at this address", Printable(source.path)));
  }
  TANDEM_ASSIGN_OR_RETURN(const auto media, Encode(local, watch));
  const std::lock_guard lock(mutex_);
  fetched_[source.url] = media->key;
  return media;
}

Result<std::shared_ptr<const EncodedMedia>> VisionEncoder::EncodeClip(const MediaSource& source,
                                                                      const LookWatch& watch) {
  const ClipFile clip = {.file = source.file.empty() ? source.path : source.file,
                         .name = source.path,
                         .self_contained = !source.file.empty()};
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t content, HashClip(clip.file, identity_));
  const std::lock_guard lock(mutex_);
  if (const auto known = Recall(content)) {
    return known;
  }
  const auto start = Clock::now();
  TANDEM_ASSIGN_OR_RETURN(const PreparedMedia prepared,
                          PrepareVideo(clip, limits_, config().shape, watch.cancel));
  return EncodeNew(source, prepared, content, start, watch);
}

std::shared_ptr<const EncodedMedia> VisionEncoder::Recall(std::uint64_t key) {
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    if (seen_[i]->key == key) {
      std::rotate(seen_.begin() + static_cast<std::ptrdiff_t>(i),
                  seen_.begin() + static_cast<std::ptrdiff_t>(i) + 1, seen_.end());
      return seen_.back();
    }
  }
  return nullptr;
}

Result<std::shared_ptr<const EncodedMedia>> VisionEncoder::EncodeNew(const MediaSource& source,
                                                                     const PreparedMedia& prepared,
                                                                     std::uint64_t key,
                                                                     Clock::time_point start,
                                                                     const LookWatch& watch) {
  auto media = std::make_shared<EncodedMedia>();
  media->video = prepared.video;
  media->source = prepared.source;
  media->resized = prepared.frames.front().size();
  media->grid = prepared.grid;
  media->pair_seconds = prepared.pair_seconds;
  media->tokens_per_step = prepared.grid.patches_per_step() / config().patches_per_token();
  media->width = config().out_width;
  media->key = key;
  media->vectors.resize(media->tokens() * media->width);
  const Mat<float> rows(media->vectors.data(), media->tokens(), media->width);
  TowerProgress on_progress;
  if (watch.on_progress) {
    on_progress = [&](std::size_t done, std::size_t total) {
      watch.on_progress(source, done, total);
    };
  }
  if (ops_ == nullptr) {  // most conversations have no picture: they pay nothing
    TANDEM_ASSIGN_OR_RETURN(ops_, MakeCpuOps(device_));
  }
  ++encoded_count_;
  TANDEM_RETURN_IF_ERROR(file_watch_.Check());
  TANDEM_RETURN_IF_ERROR(tower_->Encode(*ops_, prepared, rows, watch.cancel, on_progress));
  TANDEM_RETURN_IF_ERROR(file_watch_.Check());  // what was computed may come of two towers
  media->seconds = std::chrono::duration<double>(Clock::now() - start).count();
  Remember(media);
  return std::shared_ptr<const EncodedMedia>(std::move(media));
}

void VisionEncoder::Remember(const std::shared_ptr<const EncodedMedia>& media) {
  seen_.push_back(media);
  std::size_t floats = 0;
  for (const auto& item : seen_) {
    floats += item->vectors.size();
  }
  while (floats > kMostRemembered && seen_.size() > 1) {
    floats -= seen_.front()->vectors.size();
    seen_.erase(seen_.begin());
  }
}

}  // namespace tandem
