#include "vision/decode.h"

#include <array>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "io/file.h"
#include "vision/exif.h"

namespace tandem {
namespace {

// tests/data/media/make_media.py says what is in each file.
std::string MediaFile(const std::string& name) {
  return ReadFile(std::filesystem::path(TANDEM_SOURCE_DIR) / "tests/data/media" / name).value();
}

std::span<const std::byte> Bytes(const std::string& file) {
  return std::as_bytes(std::span(file));
}

Picture Decode(const std::string& name) {
  const std::string file = MediaFile(name);
  Result<Picture> picture = DecodePicture(Bytes(file), name);
  EXPECT_TRUE(picture.ok()) << picture.status().message();
  return picture.ok() ? std::move(picture).value() : Picture(1, 1);
}

template <typename Expected>
void ExpectPixels(const Picture& picture, Expected expected) {
  ASSERT_EQ(picture.size(), (PixelSize{16, 24}));
  for (unsigned y = 0; y < 16; ++y) {
    for (unsigned x = 0; x < 24; ++x) {
      const std::array<unsigned, 3> want = expected(x, y);
      for (std::size_t c = 0; c < 3; ++c) {
        ASSERT_EQ(picture.Row(y)[3 * x + c], want[c]) << x << "," << y << " channel " << c;
      }
    }
  }
}

constexpr auto kPattern = [](unsigned x, unsigned y) {
  return std::array{10 * x, 15 * y, 7 * x * y % 256};
};
constexpr auto kGrey = [](unsigned x, unsigned) { return std::array{10 * x, 10 * x, 10 * x}; };

TEST(Decode, ReadsEveryKindOfPng) {
  for (const char* name : {"rgb.png", "rgb-interlaced.png", "rgba.png", "rgb16.png"}) {
    SCOPED_TRACE(name);
    ExpectPixels(Decode(name), kPattern);
  }
  for (const char* name : {"grey.png", "grey-alpha.png", "grey16.png"}) {
    SCOPED_TRACE(name);
    ExpectPixels(Decode(name), kGrey);
  }
  ExpectPixels(Decode("grey1.png"), [](unsigned x, unsigned) {
    const unsigned v = x / 3 % 2 * 255;
    return std::array{v, v, v};
  });
  ExpectPixels(Decode("palette4.png"), [](unsigned x, unsigned y) {
    const unsigned i = (x + y) % 16;
    return std::array{10 * i, 255 - 16 * i, i};
  });
}

TEST(Decode, ReadsWebpAndTheFirstFrameOfAnAnimation) {
  for (const char* name : {"rgb.webp", "rgba.webp", "animated.webp"}) {
    SCOPED_TRACE(name);
    ExpectPixels(Decode(name), kPattern);
  }
}

// The flat colours of the four quarters, rows first, as letters.
std::string Quarters(const Picture& picture) {
  std::string letters;
  for (const std::size_t y : {picture.height / 4, 3 * picture.height / 4}) {
    for (const std::size_t x : {picture.width / 4, 3 * picture.width / 4}) {
      const std::uint8_t* p = picture.Row(y) + 3 * x;
      const int code = (p[0] > 128 ? 4 : 0) + (p[1] > 128 ? 2 : 0) + (p[2] > 128 ? 1 : 0);
      letters += "-BGcRmyW"[code];
    }
  }
  return letters;
}

TEST(Decode, TurnsAJpegUpright) {
  const char* expected[] = {"RGBW", "GRWB", "WBGR", "BWRG", "RBGW", "BRWG", "WGBR", "GWRB"};
  for (int i = 1; i <= 8; ++i) {
    const Picture picture = Decode("quarters-exif" + std::to_string(i) + ".jpg");
    EXPECT_EQ(Quarters(picture), expected[i - 1]) << i;
    EXPECT_EQ(picture.size(), i < 5 ? (PixelSize{16, 32}) : (PixelSize{32, 16})) << i;
  }
}

TEST(Decode, ReadsProgressiveGreyAndCmykJpegs) {
  EXPECT_EQ(Quarters(Decode("quarters-progressive.jpg")), "RGBW");
  EXPECT_EQ(Quarters(Decode("quarters-cmyk.jpg")), "RGBW");
  EXPECT_EQ(Quarters(Decode("quarters-grey.jpg")), "-W-W");  // weights 0.299, 0.587, 0.114
}

TEST(Decode, MirrorsTwiceToTheSamePicture) {
  Picture picture(2, 3);
  for (std::size_t i = 0; i < picture.rgb.size(); ++i) {
    picture.rgb[i] = static_cast<std::uint8_t>(i);
  }
  for (const Orientation o :
       {Orientation::kMirrored, Orientation::kRotated180, Orientation::kFlipped,
        Orientation::kTransposed, Orientation::kTransversed}) {
    EXPECT_EQ(Upright(Upright(picture, o), o).rgb, picture.rgb) << static_cast<int>(o);
  }
  EXPECT_EQ(Upright(Upright(picture, Orientation::kRotate90), Orientation::kRotate270).rgb,
            picture.rgb);
}

TEST(Decode, RefusesWhatIsNoPicture) {
  const auto code = [](const std::string& file) {
    return DecodePicture(Bytes(file), "x").status().code();
  };
  EXPECT_EQ(code(""), StatusCode::kCorrupt);
  EXPECT_EQ(code("hello"), StatusCode::kUnsupported);
  EXPECT_EQ(code("GIF89a and more"), StatusCode::kUnsupported);
  EXPECT_EQ(code("\x89PNG\r\n\x1A\n"), StatusCode::kCorrupt);
  EXPECT_EQ(code("\xFF\xD8\xFF\xE0"), StatusCode::kCorrupt);
  EXPECT_EQ(code("RIFF\x10\1\1\1WEBPVP8 "), StatusCode::kCorrupt);
}

TEST(Decode, RefusesCutAndDamagedFiles) {
  for (const char* name :
       {"rgb.png", "quarters-exif1.jpg", "quarters-progressive.jpg", "rgb.webp", "animated.webp"}) {
    const std::string file = MediaFile(name);
    for (const std::size_t part : {2UL, 3UL}) {
      const std::string cut = file.substr(0, file.size() * (part - 1) / part);
      const Result<Picture> picture = DecodePicture(Bytes(cut), name);
      EXPECT_EQ(picture.status().code(), StatusCode::kCorrupt) << name << " " << part;
      EXPECT_TRUE(picture.status().message().starts_with(name));
    }
  }
  std::string png = MediaFile("rgb.png");
  png[png.size() / 2] = static_cast<char>(png[png.size() / 2] ^ 0x55);
  EXPECT_EQ(DecodePicture(Bytes(png), "x").status().code(), StatusCode::kCorrupt);
}

TEST(Decode, RefusesABombByItsHeader) {
  const std::string png = MediaFile("rgb.png");
  const DecodeLimits limits;
  const DecodeLimits small{.max_pixels = 100, .max_ratio = 200};
  const Result<Picture> refused = DecodePicture(Bytes(png), "bomb.png", small);
  EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(CheckPictureSize({100'000, 100'000}, "x", limits).message(),
            "x: the picture is 100000 x 100000 pixels; at most 134 million pixels are read");
  EXPECT_EQ(CheckPictureSize({10, 20'000}, "x", limits).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(CheckPictureSize({1, 1}, "x", limits).ok());
  EXPECT_TRUE(CheckPictureSize({100, 20'000}, "x", limits).ok());
  EXPECT_EQ(CheckPictureSize({~0ULL, ~0ULL}, "x", limits).code(), StatusCode::kInvalidArgument);
}

TEST(Exif, IgnoresNonsense) {
  const auto read = [](std::string_view text) {
    return ReadOrientation(std::as_bytes(std::span(text)));
  };
  using std::string_view_literals::operator""sv;
  EXPECT_EQ(read("II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0"sv), Orientation::kRotate90);
  EXPECT_EQ(read("MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\3\0\0"sv), Orientation::kRotated180);
  EXPECT_EQ(read("II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\x09\0\0\0"sv), Orientation::kUpright);
  EXPECT_EQ(read("II*\0\xFF\xFF\xFF\xFF"sv), Orientation::kUpright);
  EXPECT_EQ(read("II*\0\x08\0\0\0\xFF\xFF"sv), Orientation::kUpright);
  EXPECT_EQ(read(""), Orientation::kUpright);
}

}  // namespace
}  // namespace tandem
