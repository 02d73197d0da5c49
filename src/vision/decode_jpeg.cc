// jpeglib.h uses what it does not include, and jerror.h needs jpeglib.h.
// clang-format off
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <string>
#include <vector>

#include "base/format.h"
#include "vision/decode_codecs.h"

namespace tandem {
namespace {

constexpr int kExifMarker = JPEG_APP0 + 1;
constexpr unsigned kMarkerBytes = 0xFFFF;

/// What the callbacks see; the library's struct comes first, since that is what they get.
struct JpegErrors {
  jpeg_error_mgr manager;
  std::jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void OnError(j_common_ptr info) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  info->err->format_message(info, errors->message);
  std::longjmp(errors->escape, 1);  // NOLINT(cert-err52-cpp): libjpeg's way
}

// Pixels made up where data is missing or broken would be taken for the picture.
void OnMessage(j_common_ptr info, int level) {
  const int code = info->err->msg_code;
  if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER ||
                    code == JWRN_HUFF_BAD_CODE || code == JWRN_MUST_RESYNC)) {
    OnError(info);
  }
}

// A progressive file of a few kilobytes may ask for thousands of passes over a large picture.
void OnProgress(j_common_ptr info) {
  constexpr int kMostScans = 500;
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMostScans) {
    auto* errors = reinterpret_cast<JpegErrors*>(info->err);
    std::snprintf(errors->message, sizeof(errors->message), "it has more than %d scans",
                  kMostScans);
    std::longjmp(errors->escape, 1);  // NOLINT(cert-err52-cpp): libjpeg's way
  }
}

// One ink of a CMYK pixel as Adobe stores it (255: none), mixed with black as Pillow does.
std::uint8_t MixInk(unsigned ink, unsigned black) {
  unsigned v = black * (255 - ink) + 128;
  v = ((v >> 8) + v) >> 8;
  return static_cast<std::uint8_t>(black - std::min(black, v));
}

/// One reading of a JPEG. Memory that longjmp may skip over belongs to this object, not to the
/// functions that call libjpeg.
class JpegReader {
 public:
  JpegReader(std::span<const std::byte> bytes, std::string_view name, DecodeObserver* observer)
      : name_(name), bytes_(bytes), observer_(observer) {
    info_.err = jpeg_std_error(&errors_.manager);
    errors_.manager.error_exit = &OnError;
    errors_.manager.emit_message = &OnMessage;
    progress_.progress_monitor = &OnProgress;
  }
  ~JpegReader() { jpeg_destroy_decompress(&info_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  Result<StoredPicture> Run(const DecodeLimits& limits) {
    if (!ReadHeader()) {
      return Broken();
    }
    const PixelSize size{info_.image_height, info_.image_width};
    TANDEM_RETURN_IF_ERROR(CheckPictureSize(size, name_, limits));
    stored_.orientation = FindOrientation();
    stored_.picture = Picture(size.height, size.width);
    if (stored_.orientation != Orientation::kUpright) {
      observer_ = nullptr;
    }
    if (observer_ != nullptr) {
      observer_->OnStart(stored_.picture);
    }
    const bool complete = ReadRows();
    if (observer_ != nullptr) {
      observer_->OnEnd(complete);
    }
    if (!complete) {
      return Broken();
    }
    return std::move(stored_);
  }

 private:
  Status Broken() const {
    return {StatusCode::kCorrupt,
            Format("{}: the JPEG cannot be read: {}", name_, Printable(errors_.message))};
  }

  bool ReadHeader() {
    if (setjmp(errors_.escape) != 0) {  // NOLINT(cert-err52-cpp): libjpeg's way
      return false;
    }
    jpeg_create_decompress(&info_);
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
    jpeg_save_markers(&info_, kExifMarker, kMarkerBytes);
    jpeg_read_header(&info_, TRUE);
    const bool inks = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
    info_.out_color_space = inks ? JCS_CMYK : JCS_RGB;
    return true;
  }

  Orientation FindOrientation() const {
    constexpr char kExif[] = {'E', 'x', 'i', 'f', '\0', '\0'};
    for (const jpeg_marker_struct* marker = info_.marker_list; marker != nullptr;
         marker = marker->next) {
      if (marker->marker == kExifMarker && marker->data_length > sizeof(kExif) &&
          std::memcmp(marker->data, kExif, sizeof(kExif)) == 0) {
        return ReadOrientation({reinterpret_cast<const std::byte*>(marker->data) + sizeof(kExif),
                                marker->data_length - sizeof(kExif)});
      }
    }
    return Orientation::kUpright;
  }

  bool ReadRows() {
    if (setjmp(errors_.escape) != 0) {  // NOLINT(cert-err52-cpp): libjpeg's way
      return false;
    }
    info_.progress = &progress_;
    jpeg_start_decompress(&info_);
    if (info_.out_color_space == JCS_CMYK) {
      inks_.resize(std::size_t{4} * info_.output_width);
    }
    while (info_.output_scanline < info_.output_height) {
      std::uint8_t* to = stored_.picture.Row(info_.output_scanline);
      JSAMPROW row = inks_.empty() ? to : inks_.data();
      if (jpeg_read_scanlines(&info_, &row, 1) == 1 && !inks_.empty()) {
        MixRow(to);
      }
      if (observer_ != nullptr) {
        observer_->OnRows(info_.output_scanline);
      }
    }
    jpeg_finish_decompress(&info_);
    return true;
  }

  void MixRow(std::uint8_t* to) const {
    const std::uint8_t* from = inks_.data();
    for (std::size_t x = 0; x < stored_.picture.width; ++x, from += 4, to += 3) {
      for (std::size_t c = 0; c < 3; ++c) {
        to[c] = MixInk(from[c], from[3]);
      }
    }
  }

  std::string_view name_;
  std::span<const std::byte> bytes_;
  DecodeObserver* observer_;
  JpegErrors errors_ = {};
  jpeg_progress_mgr progress_ = {};
  jpeg_decompress_struct info_ = {};
  StoredPicture stored_;
  std::vector<std::uint8_t> inks_;
};

}  // namespace

Result<StoredPicture> DecodeJpeg(std::span<const std::byte> bytes, std::string_view name,
                                 const DecodeLimits& limits, DecodeObserver* observer) {
  return JpegReader(bytes, name, observer).Run(limits);
}

}  // namespace tandem
