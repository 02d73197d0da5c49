#include "vision/encoder.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "gguf/model_file.h"
#include "io/child_process.h"
#include "io/file.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(TANDEM_SOURCE_DIR) / "tests/data/vision";
const fs::path kMedia = fs::path(TANDEM_SOURCE_DIR) / "tests/data/media";

std::shared_ptr<VisionEncoder> Open(EncoderOptions options = {}) {
  auto file = gguf::ModelFile::Open(kFolder / "mmproj.gguf").value();
  const gguf::File& view = *file;
  return VisionEncoder::Create(view, std::move(file), kFolder, options).value();
}

MediaSource File(const std::string& name) {
  return {.path = (kMedia / name).native(), .bytes = ""};
}

TEST(VisionEncoder, LooksOnceAtTheSameContent) {
  const auto encoder = Open();
  const auto first = encoder->Encode(File("rgb.png"), {}).value();
  EXPECT_EQ(encoder->encoded_count(), 1U);
  EXPECT_EQ(encoder->Encode(File("rgb.png"), {}).value(), first);
  // The same bytes under another name, and from memory.
  MediaSource copy = {.path = "copy", .bytes = ReadFile(kMedia / "rgb.png").value()};
  EXPECT_EQ(encoder->Encode(copy, {}).value(), first);
  EXPECT_EQ(encoder->encoded_count(), 1U);
  EXPECT_NE(encoder->Encode(File("grey.png"), {}).value()->key, first->key);
  EXPECT_EQ(encoder->encoded_count(), 2U);
}

TEST(VisionEncoder, TellsHowFarItIs) {
  const auto encoder = Open();
  std::vector<std::pair<std::size_t, std::size_t>> steps;
  std::string name;
  const LookWatch watch = {
      .on_progress = [&](const MediaSource& source, std::size_t done, std::size_t total) {
        name = source.path;
        steps.emplace_back(done, total);
      }};
  ASSERT_TRUE(encoder->Encode(File("rgb.png"), watch).ok());
  EXPECT_EQ(name, (kMedia / "rgb.png").native());
  EXPECT_EQ(steps, (std::vector<std::pair<std::size_t, std::size_t>>{{0, 2}, {1, 2}}));
}

TEST(VisionEncoder, AVisionFileThatIsCutIsAnError) {
  const fs::path copy = fs::temp_directory_path() / ("tandem-eyes-" + std::to_string(::getpid()));
  fs::copy_file(kFolder / "mmproj.gguf", copy, fs::copy_options::overwrite_existing);
  const auto size = fs::file_size(copy);
  auto file = gguf::ModelFile::Open(copy).value();
  const gguf::File& view = *file;
  const auto encoder = VisionEncoder::Create(view, std::move(file), kFolder, {}).value();
  const auto seen = encoder->Encode(File("rgb.png"), {}).value();
  const LookWatch cut = {.on_progress = [&](const MediaSource&, std::size_t, std::size_t) {
    fs::resize_file(copy, size - 1);  // of a page that stays
  }};
  EXPECT_EQ(encoder->Encode(File("grey.png"), cut).status().code(), StatusCode::kIo);
  const Status status = encoder->Encode(File("grey.png"), {}).status();
  EXPECT_EQ(status.code(), StatusCode::kIo);
  EXPECT_NE(status.message().find("while it was in use"), std::string::npos) << status.message();
  EXPECT_EQ(encoder->Encode(File("rgb.png"), {}).value(), seen);  // remembered
  fs::remove(copy);
}

TEST(VisionEncoder, FetchesAnAddressOnce) {
  int fetched = 0;
  const auto encoder = Open({.fetch = [&](const std::string& url, bool video,
                                          const std::atomic<bool>*) -> Result<std::string> {
    ++fetched;
    EXPECT_FALSE(video);
    if (url.ends_with("none")) {
      return Status(StatusCode::kIo, "nobody answers");
    }
    return ReadFile(kMedia / "rgb.png").value();
  }});
  const MediaSource there = {.path = "http://x/a", .bytes = "", .url = "http://x/a?secret"};
  const auto first = encoder->Encode(there, {}).value();
  EXPECT_EQ(encoder->Encode(there, {}).value(), first);
  EXPECT_EQ(encoder->Encode(File("rgb.png"), {}).value(), first);
  EXPECT_EQ(fetched, 1);
  EXPECT_EQ(encoder->encoded_count(), 1U);
  const MediaSource none = {.path = "http://x/none", .bytes = "", .url = "http://x/none"};
  EXPECT_EQ(encoder->Encode(none, {}).status().message(), "nobody answers");
}

TEST(VisionEncoder, RefusesAddressesWithoutAFetcher) {
  const auto encoder = Open();
  const Status status =
      encoder->Encode({.path = "http://x/a", .bytes = "", .url = "http://x/a?secret"}, {}).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "http://x/a: what is at an address is fetched only with --allow-url");
}

TEST(VisionEncoder, GoesOnAfterWhatItCannotRead) {
  const auto encoder = Open();
  const auto code = [&](const std::string& bytes) {
    return encoder->Encode({.path = "x", .bytes = bytes}, {}).status().code();
  };
  EXPECT_EQ(code("hello"), StatusCode::kUnsupported);
  EXPECT_EQ(code(ReadFile(kMedia / "quarters-exif1.jpg").value().substr(0, 400)),
            StatusCode::kCorrupt);
  EXPECT_EQ(encoder->Encode(File("nowhere.png"), {}).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(encoder->encoded_count(), 0U);
  EXPECT_TRUE(encoder->Encode(File("rgb.png"), {}).ok());
}

TEST(VisionEncoder, ReadsClipsFromMemoryButNoPlaylists) {
  if (ChildProcess::Start({"ffmpeg", "-version"}).status().code() == StatusCode::kNotFound) {
    GTEST_SKIP() << "the program ffmpeg is not installed";
  }
  const fs::path clip =
      fs::temp_directory_path() / ("tandem-clip-" + std::to_string(::getpid()) + ".mkv");
  const std::string command =
      "ffmpeg -v error -f lavfi -i testsrc=size=64x64:rate=5 -frames:v 4 -c:v ffv1 " +
      clip.native();
  ASSERT_EQ(std::system(command.c_str()), 0);
  const auto encoder = Open();
  const auto from_file =
      encoder->Encode({.video = true, .path = clip.native(), .bytes = ""}, {}).value();
  const std::string bytes = ReadFile(clip).value();
  EXPECT_EQ(encoder->Encode({.video = true, .path = "clip", .bytes = bytes}, {}).value(),
            from_file);
  EXPECT_EQ(encoder->encoded_count(), 1U);
  // A playlist of a stranger must not reach files of this machine.
  const std::string playlist =
      "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:" + clip.native() + "\n#EXT-X-ENDLIST\n";
  const Status status =
      encoder->Encode({.video = true, .path = "list", .bytes = playlist}, {}).status();
  EXPECT_EQ(status.code(), StatusCode::kCorrupt);
  EXPECT_TRUE(status.message().starts_with("list: the clip cannot be read"));
  EXPECT_EQ(status.message().find("/proc/"), std::string::npos) << status.message();
  fs::remove(clip);
}

}  // namespace
}  // namespace tandem
