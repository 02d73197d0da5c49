#include "vision/prepare.h"

// jpeglib.h uses what it does not include.
// clang-format off
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
// clang-format on

#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vision/decode.h"
#include "vision/resize.h"

namespace tandem {
namespace {

// A JPEG of made-up pixels, large enough for the second thread.
std::string LargeJpeg(std::size_t height, std::size_t width) {
  Picture picture(height, width);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < 3 * width; ++x) {
      picture.Row(y)[x] = static_cast<std::uint8_t>(x * 7 + y * 3 + x * y / 64);
    }
  }
  jpeg_compress_struct info = {};
  jpeg_error_mgr errors = {};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* out = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): the library's type
  jpeg_mem_dest(&info, &out, &size);
  info.image_height = static_cast<JDIMENSION>(height);
  info.image_width = static_cast<JDIMENSION>(width);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = picture.Row(info.next_scanline);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::string file(reinterpret_cast<const char*>(out), size);
  jpeg_destroy_compress(&info);
  std::free(out);
  return file;
}

TEST(Prepare, ResizingWhileDecodingGivesTheSameBits) {
  const std::string file = LargeJpeg(1100, 1300);
  const auto bytes = std::as_bytes(std::span(file));
  const Picture whole = DecodePicture(bytes, "x").value();
  for (const PixelRange& range : {PixelRange{1024, 300'000}, PixelRange{1024, 16'777'216},
                                  PixelRange{3'000'000, 16'777'216}}) {
    const PreparedMedia media = PreparePicture(bytes, "x", range, {}).value();
    const PreparedMedia plain = PrepareImage(whole, range, {}, "x").value();
    EXPECT_EQ(media.grid, plain.grid);
    EXPECT_EQ(media.source, plain.source);
    ASSERT_EQ(media.frames.size(), 1U);
    EXPECT_TRUE(media.frames[0].rgb == plain.frames[0].rgb);
  }
}

TEST(Prepare, ABrokenPictureEndsTheThread) {
  const std::string file = LargeJpeg(1100, 1300);
  for (const std::size_t size : {file.size() / 2, file.size() * 9 / 10, std::size_t{700}}) {
    const auto bytes = std::as_bytes(std::span(file)).first(size);
    EXPECT_EQ(PreparePicture(bytes, "x", {1024, 300'000}, {}).status().code(),
              StatusCode::kCorrupt);
  }
}

}  // namespace
}  // namespace tandem
