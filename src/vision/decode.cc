#include "vision/decode.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/format.h"
#include "vision/decode_codecs.h"

namespace tandem {
namespace {

bool StartsWith(std::span<const std::byte> bytes, std::string_view magic, std::size_t at = 0) {
  return bytes.size() >= at + magic.size() &&
         std::memcmp(bytes.data() + at, magic.data(), magic.size()) == 0;
}

Result<StoredPicture> DecodeStored(std::span<const std::byte> bytes, PictureFormat format,
                                   std::string_view name, const DecodeLimits& limits,
                                   DecodeObserver* observer) {
  switch (format) {
    case PictureFormat::kPng:
      return DecodePng(bytes, name, limits);
    case PictureFormat::kJpeg:
      return DecodeJpeg(bytes, name, limits, observer);
    case PictureFormat::kWebp:
      break;
  }
  return DecodeWebp(bytes, name, limits);
}

}  // namespace

Result<PictureFormat> DetectFormat(std::span<const std::byte> bytes, std::string_view name) {
  using std::string_view_literals::operator""sv;
  if (StartsWith(bytes, "\x89PNG\r\n\x1A\n"sv)) {
    return PictureFormat::kPng;
  }
  if (StartsWith(bytes, "\xFF\xD8\xFF"sv)) {
    return PictureFormat::kJpeg;
  }
  if (StartsWith(bytes, "RIFF"sv) && StartsWith(bytes, "WEBP"sv, 8)) {
    return PictureFormat::kWebp;
  }
  return Status(StatusCode::kUnsupported,
                Format("{}: is no picture that Tandem reads (PNG, JPEG, WebP)", name));
}

Status CheckPictureSize(const PixelSize& size, std::string_view name, const DecodeLimits& limits) {
  if (size.height == 0 || size.width == 0) {
    return {StatusCode::kCorrupt,
            Format("{}: the picture is {} x {} pixels", name, size.width, size.height)};
  }
  if (size.height > limits.max_pixels / size.width) {
    return {StatusCode::kInvalidArgument,
            Format("{}: the picture is {} x {} pixels; at most {} million pixels are read", name,
                   size.width, size.height, limits.max_pixels / 1'000'000)};
  }
  const auto [shorter, longer] = std::minmax(size.height, size.width);
  if (longer > limits.max_ratio * shorter) {
    return {StatusCode::kInvalidArgument,
            Format("{}: the picture is {} x {} pixels; one side may be at most {} times the other",
                   name, size.width, size.height, limits.max_ratio)};
  }
  return OkStatus();
}

Result<Picture> DecodePicture(std::span<const std::byte> bytes, std::string_view name,
                              const DecodeLimits& limits, DecodeObserver* observer) {
  if (bytes.empty()) {
    return Status(StatusCode::kCorrupt, Format("{}: the file is empty", name));
  }
  TANDEM_ASSIGN_OR_RETURN(const PictureFormat format, DetectFormat(bytes, name));
  TANDEM_ASSIGN_OR_RETURN(StoredPicture stored,
                          DecodeStored(bytes, format, name, limits, observer));
  return Upright(std::move(stored.picture), stored.orientation);
}

}  // namespace tandem
