#include <cstdint>
#include <memory>

#include <webp/decode.h>
#include <webp/demux.h>

#include "base/format.h"
#include "vision/decode_codecs.h"

namespace tandem {
namespace {

using Demuxer = std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)>;
using Animation = std::unique_ptr<WebPAnimDecoder, decltype(&WebPAnimDecoderDelete)>;

Status Broken(std::string_view name) {
  return {StatusCode::kCorrupt, Format("{}: the WebP cannot be read: it is broken or cut", name)};
}

Orientation FindOrientation(const WebPData& data) {
  const Demuxer demuxer(WebPDemux(&data), &WebPDemuxDelete);
  WebPChunkIterator chunk = {};
  if (demuxer == nullptr || WebPDemuxGetChunk(demuxer.get(), "EXIF", 1, &chunk) == 0) {
    return Orientation::kUpright;
  }
  std::span<const std::byte> tiff(reinterpret_cast<const std::byte*>(chunk.chunk.bytes),
                                  chunk.chunk.size);
  // Some writers keep the JPEG prefix.
  constexpr std::size_t kPrefix = 6;
  if (tiff.size() > kPrefix && tiff[0] == std::byte{'E'} && tiff[1] == std::byte{'x'}) {
    tiff = tiff.subspan(kPrefix);
  }
  const Orientation orientation = ReadOrientation(tiff);
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

// The first frame on its canvas, alpha dropped.
Status ReadFirstFrame(const WebPData& data, std::string_view name, Picture& picture) {
  WebPAnimDecoderOptions options;
  if (WebPAnimDecoderOptionsInit(&options) == 0) {
    return {StatusCode::kInternal, Format("{}: the WebP library is another version", name)};
  }
  options.color_mode = MODE_RGBA;
  options.use_threads = 0;
  const Animation animation(WebPAnimDecoderNew(&data, &options), &WebPAnimDecoderDelete);
  std::uint8_t* rgba = nullptr;
  int time_ms = 0;
  if (animation == nullptr || WebPAnimDecoderGetNext(animation.get(), &rgba, &time_ms) == 0) {
    return Broken(name);
  }
  for (std::size_t i = 0; i < picture.height * picture.width; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      picture.rgb[3 * i + c] = rgba[4 * i + c];
    }
  }
  return OkStatus();
}

}  // namespace

Result<StoredPicture> DecodeWebp(std::span<const std::byte> bytes, std::string_view name,
                                 const DecodeLimits& limits) {
  const WebPData data{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data.bytes, data.size, &features) != VP8_STATUS_OK) {
    return Broken(name);
  }
  const PixelSize size{static_cast<std::uint64_t>(features.height),
                       static_cast<std::uint64_t>(features.width)};
  TANDEM_RETURN_IF_ERROR(CheckPictureSize(size, name, limits));
  StoredPicture stored;
  stored.picture = Picture(size.height, size.width);
  if (features.has_animation != 0) {
    TANDEM_RETURN_IF_ERROR(ReadFirstFrame(data, name, stored.picture));
  } else if (WebPDecodeRGBInto(data.bytes, data.size, stored.picture.rgb.data(),
                               stored.picture.rgb.size(),
                               static_cast<int>(stored.picture.row_bytes())) == nullptr) {
    return Broken(name);
  }
  stored.orientation = FindOrientation(data);
  return stored;
}

}  // namespace tandem
