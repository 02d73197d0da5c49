#include "vision/geometry.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

PixelSize Image(std::uint64_t height, std::uint64_t width) {
  return ImageSize({height, width}, VisionLimits().image, {}, "x").value();
}
PixelSize Video(std::uint64_t frames, std::uint64_t height, std::uint64_t width) {
  return VideoSize(frames, {height, width}, VisionLimits().video, {}, "x").value();
}

// The reference's own results.
TEST(Geometry, ImageSizesAreTheReferences) {
  EXPECT_EQ(Image(100, 100), (PixelSize{256, 256}));
  EXPECT_EQ(Image(224, 224), (PixelSize{256, 256}));
  EXPECT_EQ(Image(480, 640), (PixelSize{480, 640}));
  EXPECT_EQ(Image(720, 1280), (PixelSize{704, 1280}));
  EXPECT_EQ(Image(1080, 1920), (PixelSize{1088, 1920}));
  EXPECT_EQ(Image(2160, 3840), (PixelSize{2176, 3840}));
  EXPECT_EQ(Image(80, 1000), (PixelSize{96, 928}));
  EXPECT_EQ(Image(6000, 8000), (PixelSize{3520, 4704}));
  EXPECT_EQ(Image(1, 1), (PixelSize{256, 256}));
}

TEST(Geometry, VideoSizesAreTheReferences) {
  EXPECT_EQ(Video(20, 720, 1280), (PixelSize{704, 1280}));
  EXPECT_EQ(Video(100, 1080, 1920), (PixelSize{352, 640}));
  EXPECT_EQ(Video(768, 1080, 1920), (PixelSize{128, 224}));
  EXPECT_EQ(Video(4, 20, 30), (PixelSize{32, 64}));
}

TEST(Geometry, RefusesExtremeSides) {
  const auto status = ImageSize({10, 20'000}, VisionLimits().image, {}, "thin.png").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(status.message().starts_with("thin.png: ")) << status.message();
  EXPECT_TRUE(ImageSize({100, 20'000}, VisionLimits().image, {}, "x").ok());
  EXPECT_FALSE(ImageSize({0, 5}, VisionLimits().image, {}, "x").ok());
  EXPECT_FALSE(VideoSize(4, {0, 0}, VisionLimits().video, {}, "x").ok());
}

TEST(Geometry, SamplesTheReferencesFrames) {
  using Indices = std::vector<std::uint64_t>;
  const VisionLimits limits;
  EXPECT_EQ(SampleFrames(300, 30, limits),
            (Indices{0,   16,  31,  47,  63,  79,  94,  110, 126, 142,
                     157, 173, 189, 205, 220, 236, 252, 268, 283, 299}));
  EXPECT_EQ(SampleFrames(5, 30, limits), (Indices{0, 1, 3, 4}));
  EXPECT_EQ(SampleFrames(5, 2, limits), (Indices{0, 1, 2, 3, 4}));
  EXPECT_EQ(SampleFrames(2, 1, limits), (Indices{0, 1}));
  EXPECT_EQ(SampleFrames(1, 25, limits), (Indices{0}));
  EXPECT_EQ(SampleFrames(1'000'000, 25, limits).size(), 768U);
  EXPECT_EQ(SampleFrames(1'000'000, 1e-300, limits).size(), 768U);
}

TEST(Geometry, TimesArePairMeans) {
  EXPECT_EQ(PairSeconds({0, 1, 2, 3, 4}, 2), (std::vector<double>{0.25, 1.25, 2.0}));
  const std::vector<double> seconds = PairSeconds(SampleFrames(300, 30, VisionLimits()), 30);
  ASSERT_EQ(seconds.size(), 10U);
  EXPECT_NEAR(seconds[4], (126.0 + 142.0) / 60, 1e-12);
}

}  // namespace
}  // namespace tandem
