#include "vision/prepare.h"

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "vision/decode.h"
#include "vision/resize.h"

namespace tandem {
namespace {

// Below this a thread is not worth starting.
constexpr std::uint64_t kLargePicture = 1'000'000;
// Rows that are announced together.
constexpr std::size_t kRowsTogether = 32;

/// Resizes on a thread of its own what the decoder has finished. That thread runs between OnStart
/// and OnEnd only.
class ResizeWhileDecoding : public DecodeObserver {
 public:
  ResizeWhileDecoding(const PixelRange& range, const PatchShape& shape, std::string_view name)
      : range_(range), shape_(shape), name_(name) {}

  // Also when an exception passes by: a picture that memory does not hold.
  ~ResizeWhileDecoding() { End(false); }
  ResizeWhileDecoding(const ResizeWhileDecoding&) = delete;
  ResizeWhileDecoding& operator=(const ResizeWhileDecoding&) = delete;

  void OnStart(const Picture& picture) override {
    const Result<PixelSize> size = ImageSize(picture.size(), range_, shape_, name_);
    if (size.ok() && *size != picture.size() && picture.size().area() >= kLargePicture) {
      stream_.emplace(picture, *size);
      thread_ = std::thread([this] { Work(); });
      total_ = picture.height;
    }
  }

  void OnRows(std::size_t rows) override {
    if (thread_.joinable() && rows % kRowsTogether == 0) {
      const std::lock_guard lock(mutex_);
      ready_ = rows;
      changed_.notify_one();
    }
  }

  void OnEnd(bool complete) override { End(complete); }

  /// The resized picture, when there was one to be resized here.
  std::optional<Picture> Take() { return std::move(result_); }

 private:
  void End(bool complete) {
    if (thread_.joinable()) {
      {
        const std::lock_guard lock(mutex_);
        ready_ = complete ? total_ : ready_;
        ended_ = true;
        changed_.notify_one();
      }
      thread_.join();
      if (complete) {
        result_ = stream_->Take();
      }
    }
  }

  void Work() {
    std::size_t done = 0;
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return ready_ > done || ended_; });
      if (ready_ == done) {
        return;
      }
      done = ready_;
      lock.unlock();
      stream_->Advance(done);
      lock.lock();
    }
  }

  PixelRange range_;
  PatchShape shape_;
  std::string_view name_;
  std::optional<ResizeStream> stream_;
  std::optional<Picture> result_;
  std::size_t total_ = 0;
  std::thread thread_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::size_t ready_ = 0;
  bool ended_ = false;
};

}  // namespace

Result<PreparedMedia> PreparePicture(std::span<const std::byte> bytes, std::string_view name,
                                     const PixelRange& range, const PatchShape& shape) {
  ResizeWhileDecoding resizer(range, shape, name);
  TANDEM_ASSIGN_OR_RETURN(const Picture picture, DecodePicture(bytes, name, {}, &resizer));
  std::optional<Picture> resized = resizer.Take();
  if (!resized.has_value()) {
    return PrepareImage(picture, range, shape, name);
  }
  PreparedMedia media;
  media.source = picture.size();
  media.grid = {1, resized->height / shape.patch, resized->width / shape.patch};
  media.frames.push_back(std::move(*resized));
  return media;
}

}  // namespace tandem
