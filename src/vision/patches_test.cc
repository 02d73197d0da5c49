#include "vision/patches.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

constexpr PatchShape kShape = {.patch = 2, .merge = 2};

// A frame whose samples all differ within it: value = base + 3 * (y * width + x) + channel.
Picture Counting(std::size_t height, std::size_t width, int base) {
  Picture picture(height, width);
  for (std::size_t i = 0; i < picture.rgb.size(); ++i) {
    picture.rgb[i] = static_cast<std::uint8_t>(base + static_cast<int>(i));
  }
  return picture;
}

TEST(Patches, BlocksComeFirstThenRowsInside) {
  const PatchGrid grid = {1, 4, 6};
  const std::size_t rows[] = {0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 2};
  const std::size_t cols[] = {0, 1, 0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 0};
  for (std::size_t i = 0; i < 13; ++i) {
    EXPECT_EQ(PlaceOf(i, grid, 2).row, rows[i]) << i;
    EXPECT_EQ(PlaceOf(i, grid, 2).col, cols[i]) << i;
  }
}

TEST(Patches, ChannelThenFrameThenPixels) {
  PreparedMedia media;
  media.video = true;
  media.grid = {2, 2, 2};
  media.frames = {Counting(4, 4, 0), Counting(4, 4, 60), Counting(4, 4, 120)};  // an odd number
  std::vector<float> rows(8 * PatchValues(kShape));
  FillPatches(media, kShape, 0, Mat<float>(rows.data(), 8, PatchValues(kShape)));
  const auto value = [&](std::size_t patch, std::size_t channel, std::size_t slot, std::size_t y,
                         std::size_t x) {
    const float v = rows[patch * 24 + channel * 8 + slot * 4 + y * 2 + x];
    return static_cast<int>(v * 127.5F + 127.5F + 0.5F);
  };
  EXPECT_EQ(value(0, 0, 0, 0, 0), 0);
  EXPECT_EQ(value(0, 2, 0, 0, 1), 3 + 2);
  EXPECT_EQ(value(1, 1, 1, 1, 0), 60 + 3 * (1 * 4 + 2) + 1);
  EXPECT_EQ(value(2, 0, 0, 1, 1), 3 * (3 * 4 + 1));
  // The second step has one frame only, which fills both places.
  EXPECT_EQ(value(4, 0, 0, 0, 0), 120);
  EXPECT_EQ(value(4, 0, 1, 0, 0), 120);
  // Any range of rows is the same as in the whole.
  std::vector<float> part(3 * PatchValues(kShape));
  FillPatches(media, kShape, 3, Mat<float>(part.data(), 3, PatchValues(kShape)));
  EXPECT_TRUE(std::equal(part.begin(), part.end(), rows.begin() + 3 * 24));
}

TEST(Patches, ValuesAreExact) {
  PreparedMedia media;
  media.grid = {1, 2, 2};
  media.frames = {Counting(4, 4, 200)};
  std::vector<float> rows(4 * PatchValues(kShape));
  FillPatches(media, kShape, 0, Mat<float>(rows.data(), 4, PatchValues(kShape)));
  EXPECT_EQ(rows[0], (200.0F - 127.5F) / 127.5F);
  EXPECT_EQ(rows[4], rows[0]);  // a still picture in both places
}

}  // namespace
}  // namespace tandem
