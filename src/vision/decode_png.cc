#include <png.h>

#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/format.h"
#include "vision/decode_codecs.h"

namespace tandem {
namespace {

/// What libpng's callbacks see. Lives outside the function that longjmp returns to.
struct PngSource {
  std::span<const std::byte> rest;
  std::string error;
};

[[noreturn]] void OnError(png_structp png, png_const_charp message) {
  static_cast<PngSource*>(png_get_error_ptr(png))->error = message;
  png_longjmp(png, 1);
}

void OnWarning(png_structp /*png*/, png_const_charp /*message*/) {}

void OnRead(png_structp png, png_bytep out, png_size_t count) {
  auto* source = static_cast<PngSource*>(png_get_io_ptr(png));
  if (count > source->rest.size()) {
    png_error(png, "the file ends early");
  }
  std::memcpy(out, source->rest.data(), count);
  source->rest = source->rest.subspan(count);
}

/// One reading of a PNG. Memory that longjmp may skip over belongs to this object, not to the
/// functions that call libpng.
class PngReader {
 public:
  PngReader(std::span<const std::byte> bytes, std::string_view name) : name_(name) {
    source_.rest = bytes;
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source_, &OnError, &OnWarning);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  Result<StoredPicture> Run(const DecodeLimits& limits) {
    if (info_ == nullptr) {
      return Status(StatusCode::kOutOfMemory, Format("{}: no memory for the decoder", name_));
    }
    if (!ReadHeader()) {
      return Broken();
    }
    const PixelSize size{png_get_image_height(png_, info_), png_get_image_width(png_, info_)};
    TANDEM_RETURN_IF_ERROR(CheckPictureSize(size, name_, limits));
    stored_.picture = Picture(size.height, size.width);
    rows_.resize(size.height);
    for (std::size_t y = 0; y < rows_.size(); ++y) {
      rows_[y] = stored_.picture.Row(y);
    }
    if (!ReadRows()) {
      return Broken();
    }
    return std::move(stored_);
  }

 private:
  Status Broken() const {
    return {StatusCode::kCorrupt,
            Format("{}: the PNG cannot be read: {}", name_, Printable(source_.error))};
  }

  bool ReadHeader() {
    if (setjmp(png_jmpbuf(png_)) != 0) {  // NOLINT(cert-err52-cpp): libpng's way
      return false;
    }
    png_set_read_fn(png_, &source_, &OnRead);
    // Sizes are checked by CheckPictureSize; a chunk of text must not eat the memory.
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(png_, png_alloc_size_t{64} << 20);
    png_read_info(png_, info_);
    png_uint_32 exif_bytes = 0;
    png_bytep exif = nullptr;
    if (png_get_eXIf_1(png_, info_, &exif_bytes, &exif) != 0) {
      stored_.orientation = ReadOrientation({reinterpret_cast<const std::byte*>(exif), exif_bytes});
    }
    return true;
  }

  bool ReadRows() {
    if (setjmp(png_jmpbuf(png_)) != 0) {  // NOLINT(cert-err52-cpp): libpng's way
      return false;
    }
    png_set_expand(png_);
    png_set_strip_16(png_);
    png_set_strip_alpha(png_);
    png_set_gray_to_rgb(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    if (png_get_rowbytes(png_, info_) != stored_.picture.row_bytes()) {
      png_error(png_, "unexpected kind of pixels");
    }
    png_read_image(png_, rows_.data());
    return true;
  }

  std::string_view name_;
  PngSource source_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  StoredPicture stored_;
  std::vector<png_bytep> rows_;
};

}  // namespace

Result<StoredPicture> DecodePng(std::span<const std::byte> bytes, std::string_view name,
                                const DecodeLimits& limits) {
  return PngReader(bytes, name).Run(limits);
}

}  // namespace tandem
