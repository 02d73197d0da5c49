#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/status.h"
#include "vision/picture.h"

namespace tandem {

/// How large a picture may be before it is refused from its header, unread.
struct DecodeLimits {
  std::uint64_t max_pixels = std::uint64_t{1} << 27;  // 402 MB of RGB
  std::uint64_t max_ratio = 200;                      // of the longer to the shorter side
};

enum class PictureFormat { kPng, kJpeg, kWebp };

/// What the first bytes say; Unsupported, naming the formats that are read, for anything else.
Result<PictureFormat> DetectFormat(std::span<const std::byte> bytes, std::string_view name);

/// Watches a picture being decoded. Called on the decoding thread.
class DecodeObserver {
 public:
  virtual ~DecodeObserver() = default;
  /// The picture has its size and memory, and no rows yet; it stays where it is until OnEnd, and it
  /// need not be turned. Not called for formats and pictures that come as a whole.
  virtual void OnStart(const Picture& picture) = 0;
  /// The first `rows` rows are final.
  virtual void OnRows(std::size_t rows) = 0;
  /// The last call after OnStart; `complete`: all rows are there.
  virtual void OnEnd(bool complete) = 0;
};

/// Reads a PNG, JPEG or WebP file as the reference does for files: straight to 8-bit RGB, alpha
/// dropped without compositing, grey and palette expanded, the high byte of 16-bit samples, CMYK as
/// Adobe stores it, the first frame of an animation, turned as its EXIF orientation says. `name` is
/// put before errors: InvalidArgument for a size past the limits (known from the header), Corrupt
/// for a broken or truncated file, Unsupported for another format. Thread-safe.
/// Source: torchvision.io.decode_image with mode RGB and apply_exif_orientation.
Result<Picture> DecodePicture(std::span<const std::byte> bytes, std::string_view name,
                              const DecodeLimits& limits = {}, DecodeObserver* observer = nullptr);

/// InvalidArgument with the numbers when a picture of this size is past the limits.
Status CheckPictureSize(const PixelSize& size, std::string_view name, const DecodeLimits& limits);

}  // namespace tandem
