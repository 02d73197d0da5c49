#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include <gtest/gtest.h>

#include "base/format.h"
#include "io/file.h"
#include "io/json.h"
#include "io/mapped_file.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

/// A folder of its own for each test, removed afterwards.
class Io : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tandem-io-XXXXXX").native();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Put(const std::string& name, std::string_view text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  std::size_t Entries() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

TEST_F(Io, MapsAFileAndSurvivesMoves) {
  Put("a", "hello");
  Result<MappedFile> file = MappedFile::Open(folder_ / "a");
  ASSERT_TRUE(file.ok()) << file.status().message();
  MappedFile moved = std::move(file).value();
  MappedFile again;
  again = std::move(moved);
  again.Advise(MappedFile::Access::kWillNeed);
  again.AdviseRange(3, 1 << 20, MappedFile::Access::kDontNeed);
  ASSERT_EQ(again.size(), 5U);
  EXPECT_EQ(std::memcmp(again.bytes().data(), "hello", 5), 0);
}

TEST_F(Io, RefusesWhatIsNoRegularFile) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  Put("empty", "");
  EXPECT_EQ(MappedFile::Open(folder_ / "pipe").status().message(),
            Format("'{}' is a pipe, not a file", (folder_ / "pipe").native()));
  EXPECT_EQ(ReadFile(folder_ / "pipe").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadFile(folder_).status().message(),
            Format("'{}' is a folder, not a file", folder_.native()));
  EXPECT_EQ(MappedFile::Open(folder_ / "empty").status().message(),
            Format("'{}' is empty", (folder_ / "empty").native()));
  EXPECT_EQ(MappedFile::Open(folder_ / "none").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(MappedFile::Open(folder_ / "none").status().message(),
            Format("cannot open '{}': No such file or directory", (folder_ / "none").native()));
}

TEST_F(Io, ReadFileKeepsEveryByteAndItsLimit) {
  std::string text(100'000, 'x');
  text[7] = '\0';
  Put("a", text);
  Put("empty", "");
  EXPECT_EQ(ReadFile(folder_ / "a").value(), text);
  EXPECT_EQ(ReadFile(folder_ / "empty").value(), "");
  EXPECT_EQ(ReadFile(folder_ / "a", 99'999).status().code(), StatusCode::kUnsupported);
}

TEST_F(Io, AtomicWriterReplacesTheFileOnlyAtCommit) {
  Put("a", "old");
  const std::string big(3'000'000, 'n');
  {
    Result<AtomicFileWriter> writer = AtomicFileWriter::Create(folder_ / "a");
    ASSERT_TRUE(writer.ok()) << writer.status().message();
    ASSERT_TRUE(writer->Write("ab").ok());
    ASSERT_TRUE(writer->Write(big).ok());
    EXPECT_EQ(writer->offset(), 3'000'002U);
    EXPECT_EQ(ReadFile(folder_ / "a").value(), "old");
    ASSERT_TRUE(writer->Commit().ok());
  }
  EXPECT_EQ(ReadFile(folder_ / "a").value(), "ab" + big);
  EXPECT_EQ(Entries(), 1U);
}

TEST_F(Io, AbandonedWriterLeavesNothing) {
  {
    Result<AtomicFileWriter> writer = AtomicFileWriter::Create(folder_ / "a");
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->Write(std::string(2'000'000, 'x')).ok());
    AtomicFileWriter moved = std::move(writer).value();
    ASSERT_TRUE(moved.Write("y").ok());
  }
  EXPECT_EQ(Entries(), 0U);
}

TEST_F(Io, AtomicWriterFollowsLinksAndRefusesFolders) {
  Put("real", "old");
  fs::create_symlink("real", folder_ / "link");
  ASSERT_TRUE(WriteFileAtomically(folder_ / "link", "new").ok());
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(ReadFile(folder_ / "real").value(), "new");
  EXPECT_EQ(WriteFileAtomically(folder_, "x").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteFileAtomically("/dev/null", "x").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteFileAtomically(folder_ / "none" / "a", "x").code(), StatusCode::kNotFound);
}

TEST(ParseJson, KeepsKeyOrderAndTheLastDuplicate) {
  const Json json = ParseJson(R"({"b": 1, "a": [true, null, "x"], "b": -2.5})", "t").value();
  EXPECT_EQ(json.dump(), R"({"b":-2.5,"a":[true,null,"x"]})");
}

TEST(ParseJson, NamesTheByteOfAnError) {
  const Status status = ParseJson(R"({"a": 1,, "b": 2})", "config.json").status();
  EXPECT_EQ(status.code(), StatusCode::kCorrupt);
  EXPECT_NE(status.message().find("config.json: not valid JSON at byte 9:"), std::string::npos)
      << status.message();
  EXPECT_FALSE(ParseJson("", "t").ok());
  EXPECT_FALSE(ParseJson("{} x", "t").ok());
  EXPECT_FALSE(ParseJson("\"\xFF\"", "t").ok());
}

TEST(ParseJson, RefusesDeepNesting) {
  const Status status = ParseJson(std::string(1'000'000, '['), "t").status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_TRUE(ParseJson(std::string(256, '[') + std::string(256, ']'), "t").ok());
}

TEST(ParseJson, IsLinearInTheNumberOfKeys) {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) {
    text += Format("{}\"key{}\":{}", i == 0 ? "" : ",", i, i);
  }
  const Json json = ParseJson(text + "}", "t").value();
  EXPECT_EQ(json.size(), 200'000U);
  EXPECT_EQ(json.rbegin().value(), 199'999);
}

}  // namespace
}  // namespace tandem
