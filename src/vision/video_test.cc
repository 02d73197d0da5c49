#include "vision/video.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "io/child_process.h"
#include "io/file.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

/// Clips made by ffmpeg itself, in a folder of their own.
class Video : public testing::Test {
 protected:
  void SetUp() override {
    if (ChildProcess::Start({"ffmpeg", "-version"}).status().code() == StatusCode::kNotFound) {
      GTEST_SKIP() << "the program ffmpeg is not installed";
    }
    std::string name = (fs::temp_directory_path() / "tandem-video-XXXXXX").native();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    if (!folder_.empty()) {
      fs::remove_all(folder_);
    }
  }

  // Of ffmpeg's test picture; `source` is its size, rate and so on.
  std::string Make(const std::string& name, const std::string& source,
                   const std::string& options) const {
    const std::string path = (folder_ / name).native();
    const std::string command =
        "ffmpeg -nostdin -v error -f lavfi -i " + source + " " + options + " " + path;
    EXPECT_EQ(std::system(command.c_str()), 0) << command;  // NOLINT(cert-env33-c)
    return path;
  }

  static Status StatusOf(const std::string& path) {
    return PrepareVideo({.file = path}, {}, {}, nullptr).status();
  }

  fs::path folder_;
};

TEST_F(Video, ReadsSampledFramesAtTheirSize) {
  const std::string path =
      Make("a.mkv", "testsrc=size=160x96:rate=10", "-frames:v 21 -c:v ffv1 -pix_fmt bgr0");
  const ClipInfo info = ProbeClip({.file = path}, false, nullptr).value();
  EXPECT_EQ(info.size, (PixelSize{96, 160}));
  EXPECT_EQ(info.frames, 21U);
  EXPECT_EQ(info.fps, 10);
  EXPECT_EQ(ProbeClip({.file = path}, true, nullptr)->frames, 21U);
  const PreparedMedia media = PrepareVideo({.file = path}, {}, {}, nullptr).value();
  EXPECT_EQ(media.frames.size(), 4U);  // 2.1 seconds at 2 a second
  EXPECT_EQ(media.source, (PixelSize{96, 160}));
  EXPECT_EQ(media.grid, (PatchGrid{2, 6, 10}));
  // Frames 0, 7, 13 and 20.
  EXPECT_EQ(media.pair_seconds, (std::vector<double>{0.35, 1.65}));
}

TEST_F(Video, AnOddNumberOfFramesAndOtherCodecs) {
  VisionLimits limits;
  limits.fps = 5;
  const std::string path = Make("a.mp4", "testsrc=size=64x64:rate=5", "-frames:v 7 -c:v mpeg4");
  const PreparedMedia media = PrepareVideo({.file = path}, limits, {}, nullptr).value();
  EXPECT_EQ(media.frames.size(), 7U);
  EXPECT_EQ(media.grid.t, 4U);
  EXPECT_EQ(media.pair_seconds.back(), 6.0 / 5);
  EXPECT_TRUE(PrepareVideo({.file = Make("a.gif", "testsrc=size=64x64:rate=5", "-frames:v 5")},
                           limits, {}, nullptr)
                  .ok());
}

TEST_F(Video, ATurnedClipIsSeenUpright) {
  const std::string flat = Make("a.mp4", "testsrc=size=128x64:rate=5", "-frames:v 4 -c:v mpeg4");
  const std::string turned = (folder_ / "b.mp4").native();
  const std::string command =
      "ffmpeg -nostdin -v error -i " + flat + " -c copy -metadata:s:v rotate=90 " + turned;
  ASSERT_EQ(std::system(command.c_str()), 0);  // NOLINT(cert-env33-c)
  EXPECT_EQ(PrepareVideo({.file = turned}, {}, {}, nullptr)->source, (PixelSize{128, 64}));
}

TEST_F(Video, RefusesWhatIsNoClip) {
  const auto code = [](const std::string& path) { return StatusOf(path).code(); };
  EXPECT_EQ(code((folder_ / "missing.mp4").native()), StatusCode::kCorrupt);
  const std::string junk = (folder_ / "junk.mp4").native();
  std::ofstream(junk) << std::string(5000, 'x');
  EXPECT_EQ(code(junk), StatusCode::kCorrupt);
  EXPECT_TRUE(StatusOf(junk).message().starts_with(junk)) << StatusOf(junk).message();
  const std::string sound = Make("s.wav", "sine=duration=1", "");
  EXPECT_EQ(StatusOf(sound).message(), sound + ": there is no video in this file");
  const std::string one = Make("o.mkv", "testsrc=size=64x64:rate=5", "-frames:v 1 -c:v ffv1");
  EXPECT_EQ(StatusOf(one).message(), one + ": a clip needs at least two frames, this one has 1");
  const std::string thin = Make("t.mkv", "color=size=2048x4:rate=5", "-frames:v 4 -c:v ffv1");
  EXPECT_EQ(code(thin), StatusCode::kInvalidArgument);
}

TEST_F(Video, RefusesADamagedClip) {
  const std::string path =
      Make("a.mkv", "testsrc=size=320x240:rate=10", "-frames:v 30 -c:v ffv1 -slicecrc 1 -level 3");
  std::string bytes = ReadFile(path).value();
  for (std::size_t i = bytes.size() / 3; i < bytes.size() / 3 + 20000; ++i) {
    bytes[i] = static_cast<char>(bytes[i] ^ 0x5A);
  }
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_EQ(StatusOf(path).code(), StatusCode::kCorrupt) << StatusOf(path).message();
}

TEST_F(Video, StopsWhenCancelled) {
  const std::string path = Make("a.mkv", "testsrc=size=64x64:rate=5", "-frames:v 4 -c:v ffv1");
  const std::atomic<bool> cancel{true};
  EXPECT_EQ(PrepareVideo({.file = path}, {}, {}, &cancel).status().code(), StatusCode::kCancelled);
}

TEST(ChildProcess, SaysWhatAProgramSaid) {
  ChildProcess child = ChildProcess::Start({"sh", "-c",
                                            "echo out; echo one >&2; echo two >&2; "
                                            "exit 3"})
                           .value();
  std::string text(100, '\0');
  const std::size_t got = child.Read(std::as_writable_bytes(std::span(text)), nullptr).value();
  EXPECT_EQ(text.substr(0, got), "out\n");
  EXPECT_FALSE(child.Succeeded());
  EXPECT_EQ(child.Complaint(), "two");
}

TEST(ChildProcess, MayNotWriteFiles) {
  const fs::path path = fs::temp_directory_path() / "tandem-must-not-exist";
  ChildProcess child =
      ChildProcess::Start({"sh", "-c", "sleep 0.2; echo x > " + path.native()}).value();
  std::string text(10, '\0');
  EXPECT_EQ(child.Read(std::as_writable_bytes(std::span(text)), nullptr).value(), 0U);
  EXPECT_FALSE(child.Succeeded());
  std::error_code error;
  EXPECT_TRUE(!fs::exists(path, error) || fs::file_size(path, error) == 0);
  fs::remove(path, error);
}

TEST(ChildProcess, AnUnknownProgramIsNotFound) {
  EXPECT_EQ(ChildProcess::Start({"tandem-no-such-program"}).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace tandem
