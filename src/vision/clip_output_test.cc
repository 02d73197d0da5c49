#include "vision/clip_output.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(ClipOutput, ReadsWhatFfprobePrints) {
  const auto info = ReadProbe(R"({"programs": [], "streams": [{"width": 96, "height": 64,
      "r_frame_rate": "2/1", "avg_frame_rate": "30000/1001", "nb_read_packets": "300"}]})",
                              "nb_read_packets")
                        .value();
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->size, (PixelSize{64, 96}));
  EXPECT_EQ(info->frames, 300U);
  EXPECT_NEAR(info->fps, 29.97, 0.001);
}

TEST(ClipOutput, AssumesARateWhereNoneIsSaid) {
  const auto fps = [](const char* text) { return ReadProbe(text, "n").value()->fps; };
  EXPECT_EQ(fps(R"({"streams": [{"avg_frame_rate": "0/0", "r_frame_rate": "25/1"}]})"), 25);
  EXPECT_EQ(fps(R"({"streams": [{"avg_frame_rate": "0/0", "r_frame_rate": "0/0"}]})"), 24);
  EXPECT_EQ(fps(R"({"streams": [{"avg_frame_rate": "1e300/1e-300"}]})"), 24);
  EXPECT_EQ(fps(R"({"streams": [{"avg_frame_rate": 7}]})"), 24);
  EXPECT_EQ(fps(R"({"streams": [5]})"), 24);
}

TEST(ClipOutput, KnowsFilesWithoutVideo) {
  for (const char* text : {"{}", R"({"streams": []})", R"({"streams": 3})", "[]"}) {
    EXPECT_FALSE(ReadProbe(text, "n").value().has_value()) << text;
  }
  EXPECT_EQ(ReadProbe("", "n").status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(ReadProbe("{\"streams\": [", "n").status().code(), StatusCode::kCorrupt);
}

TEST(ClipOutput, ReadsTheStartOfAFrame) {
  EXPECT_EQ(ReadPpmHeader("P6\n96 64\n255\n"), (PixelSize{64, 96}));
  for (const char* text :
       {"", "P6\n", "P6\n255\n", "P6\n\n255\n", "P5\n96 64\n255\n", "P6\n96\n255\n",
        "P6\n96 \n255\n", "P6\n 64\n255\n", "P6\n96 64\n65535\n", "P6\n96 64x\n255\n",
        "P6\n-1 64\n255\n", "P6\n96 64\n255", "P6\n99999999999999999999 64\n255\n"}) {
    EXPECT_FALSE(ReadPpmHeader(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace tandem
