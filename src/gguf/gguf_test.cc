#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "base/format.h"
#include "gguf/file_watch.h"
#include "gguf/metadata.h"
#include "gguf/model_file.h"
#include "gguf/reader.h"
#include "gguf/writer.h"

namespace tandem::gguf {
namespace {

namespace fs = std::filesystem;

/// Fills tensor `index` with its index, in two pieces.
TensorSource Filler(const std::vector<TensorSpec>& tensors) {
  return [&tensors](std::size_t index, const ByteSink& sink) -> Status {
    std::uint64_t elements = 1;
    for (const std::uint64_t dim : tensors[index].dims) {
      elements *= dim;
    }
    const auto size = static_cast<std::size_t>(
        TensorBytes(tensors[index].type, tensors[index].dims[0], elements).value());
    const std::vector<std::byte> data(size, static_cast<std::byte>(index + 1));
    const std::span<const std::byte> view(data);
    TANDEM_RETURN_IF_ERROR(sink(view.first(size / 2)));
    return sink(view.subspan(size / 2));
  };
}

Metadata EveryKind() {
  Metadata m;
  m.SetString("general.architecture", "test");
  m.SetUint8("u8", 200);
  m.SetInt8("i8", -100);
  m.SetUint16("u16", 60'000);
  m.SetInt16("i16", -30'000);
  m.SetUint32("u32", 4'000'000'000U);
  m.SetInt32("i32", -2'000'000'000);
  m.SetUint64("u64", ~std::uint64_t{0});
  m.SetInt64("i64", -(std::int64_t{1} << 60));
  m.SetFloat32("f32", 1e-6F);
  m.SetFloat64("f64", 0.5);
  m.SetBool("yes", true);
  const std::vector<std::string> words = {"", "a", std::string("b\0c", 3)};
  m.SetStrings("words", words);
  const std::vector<std::int32_t> numbers = {11, 11, -10, 0};
  m.SetInt32s("numbers", numbers);
  const std::vector<float> floats = {0.5F, -2};
  m.SetFloat32s("floats", floats);
  m.SetBools("bools", {true, false});
  m.SetInt32s("none", {});
  return m;
}

TEST(GgufRoundTrip, EveryTensorTypeKeepsItsBytesAndPlace) {
  std::vector<TensorSpec> tensors;
  for (const TensorTypeInfo& info : AllTensorTypes()) {
    tensors.push_back({std::string(info.name), {info.block_len * 2U, 3}, info.type});
  }
  const auto bytes = WriteBytes(EveryKind(), tensors, Filler(tensors)).value();
  const File file = File::Parse(bytes, "test").value();
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorInfo& tensor = file.tensors()[i];
    EXPECT_EQ(tensor.name, tensors[i].name);
    EXPECT_EQ(tensor.type, tensors[i].type);
    EXPECT_EQ(tensor.dims[0], tensors[i].dims[0]);
    EXPECT_EQ(tensor.dims[1], 3U);
    EXPECT_EQ(tensor.dim_count, 2U);
    ASSERT_EQ(tensor.bytes.size(), Info(tensor.type).block_bytes * 6U);
    EXPECT_EQ((tensor.bytes.data() - bytes.data()) % 32, 0);
    for (const std::byte byte : tensor.bytes) {
      ASSERT_EQ(byte, static_cast<std::byte>(i + 1));
    }
  }
  EXPECT_EQ(file.FindTensor("Q4_K"), &file.tensors()[10]);
  EXPECT_EQ(file.FindTensor("none"), nullptr);
}

TEST(GgufRoundTrip, EveryMetadataTypeKeepsItsValue) {
  const auto bytes = WriteBytes(EveryKind(), {}, nullptr).value();
  const File file = File::Parse(bytes, "test").value();
  EXPECT_EQ(file.metadata().size(), EveryKind().items().size());
  EXPECT_EQ(file.metadata()[1].key, "u8");
  EXPECT_EQ(file.GetUint("u8").value(), 200U);
  EXPECT_EQ(file.GetInt("i8").value(), -100);
  EXPECT_EQ(file.GetUint("u16").value(), 60'000U);
  EXPECT_EQ(file.GetInt("i16").value(), -30'000);
  EXPECT_EQ(file.GetUint("u32").value(), 4'000'000'000U);
  EXPECT_EQ(file.GetInt("i32").value(), -2'000'000'000);
  EXPECT_EQ(file.GetUint("u64").value(), ~std::uint64_t{0});
  EXPECT_EQ(file.GetInt("i64").value(), -(std::int64_t{1} << 60));
  EXPECT_EQ(file.GetFloat("f32").value(), 1e-6F);
  EXPECT_EQ(file.GetFloat("f64").value(), 0.5F);
  EXPECT_TRUE(file.GetBool("yes").value());
  EXPECT_EQ(file.GetString("general.architecture").value(), "test");
  EXPECT_EQ(file.GetStringArray("words").value(),
            (std::vector<std::string_view>{"", "a", std::string_view("b\0c", 3)}));
  EXPECT_EQ(file.GetIntArray("numbers").value(), (std::vector<std::int64_t>{11, 11, -10, 0}));
  EXPECT_EQ(file.GetFloatArray("floats").value(), (std::vector<float>{0.5F, -2}));
  EXPECT_EQ(file.GetBoolArray("bools").value(), (std::vector<bool>{true, false}));
  EXPECT_TRUE(file.GetIntArray("none").value().empty());
}

TEST(GgufRoundTrip, CopiedMetadataGivesTheSameFile) {
  const auto bytes = WriteBytes(EveryKind(), {}, nullptr).value();
  const File file = File::Parse(bytes, "test").value();
  Metadata copy;
  for (const KeyValue& item : file.metadata()) {
    copy.SetCopy(item.key, item.value);
  }
  EXPECT_EQ(WriteBytes(copy, {}, nullptr).value(), bytes);
}

TEST(GgufGetters, NameTheKeyAndWhatIsThere) {
  const auto bytes = WriteBytes(EveryKind(), {}, nullptr).value();
  const File file = File::Parse(bytes, "x.gguf").value();
  EXPECT_EQ(file.GetUint("i8").status().message(),
            "x.gguf: key 'i8' is i8 -100, but an unsigned integer is needed");
  EXPECT_EQ(file.GetString("words").status().message(),
            "x.gguf: key 'words' is array of 3 string, but a string is needed");
  EXPECT_EQ(file.GetFloatArray("words").status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(file.GetStringArray("u8").status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(file.GetUint("gone").status().message(), "x.gguf: has no key 'gone'");
  EXPECT_EQ(file.GetUintOr("gone", 7).value(), 7U);
  EXPECT_EQ(file.GetUintOr("words", 7).status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(file.GetInt("u64").status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(file.GetBool("u8").status().code(), StatusCode::kCorrupt);
}

TEST(GgufMetadata, SettingAgainReplacesInPlace) {
  Metadata m = EveryKind();
  m.SetString("u8", "now a string");
  EXPECT_EQ(m.items()[1].key, "u8");
  EXPECT_EQ(m.items()[1].type, ValueType::kString);
  EXPECT_EQ(m.items().size(), EveryKind().items().size());
  EXPECT_TRUE(m.Remove("u8"));
  EXPECT_FALSE(m.Remove("u8"));
  EXPECT_EQ(m.Find("u8"), nullptr);
}

TEST(GgufWriter, RefusesWhatNoReaderAccepts) {
  const auto write = [](std::vector<TensorSpec> tensors, Metadata m = {}) {
    return WriteBytes(m, tensors, Filler(tensors)).status();
  };
  EXPECT_FALSE(write({{"a", {32}, TensorType::kF32}, {"a", {32}, TensorType::kF32}}).ok());
  EXPECT_FALSE(write({{"a", {33}, TensorType::kQ8_0}}).ok());
  EXPECT_FALSE(write({{"a", {}, TensorType::kF32}}).ok());
  EXPECT_FALSE(write({{"a", {1, 1, 1, 1, 1}, TensorType::kF32}}).ok());
  EXPECT_FALSE(write({{"a", {1, 0}, TensorType::kF32}}).ok());
  EXPECT_FALSE(write({{"a", {1ULL << 40, 1ULL << 40}, TensorType::kF32}}).ok());
  Metadata m;
  m.SetUint32("general.alignment", 48);
  EXPECT_FALSE(write({{"a", {1}, TensorType::kF32}}, m).ok());
}

TEST(GgufWriter, RefusesASourceOfTheWrongSize) {
  const std::vector<TensorSpec> tensors = {{"a", {4}, TensorType::kF32}};
  for (const std::size_t size : {std::size_t{15}, std::size_t{17}}) {
    const Status status = WriteBytes({}, tensors, [size](std::size_t, const ByteSink& sink) {
                            return sink(std::vector<std::byte>(size));
                          }).status();
    EXPECT_NE(status.message().find("its shape needs 16"), std::string::npos) << status.message();
  }
}

TEST(GgufWriter, KeepsAnotherAlignment) {
  const std::vector<TensorSpec> tensors = {{"a", {1}, TensorType::kF32},
                                           {"b", {1}, TensorType::kF32}};
  Metadata m;
  m.SetUint32("general.alignment", 256);
  const auto bytes = WriteBytes(m, tensors, Filler(tensors)).value();
  const File file = File::Parse(bytes, "test").value();
  EXPECT_EQ(file.alignment(), 256U);
  EXPECT_EQ((file.tensors()[1].bytes.data() - bytes.data()) % 256, 0);
}

class GgufSplit : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tandem-gguf-XXXXXX").native();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path Part(std::uint16_t number, std::uint16_t count) const {
    return folder_ / Format("m-{:05}-of-{:05}.gguf", number + 1, count);
  }

  void Put(const fs::path& path, std::uint16_t number, std::uint16_t count,
           const std::vector<TensorSpec>& tensors, std::int32_t total = 3) {
    Metadata m;
    if (number == 0) {
      m.SetString("general.architecture", "test");
    }
    m.SetUint16("split.no", number);
    m.SetUint16("split.count", count);
    m.SetInt32("split.tensors.count", total);
    const Status status = WriteFile(path, m, tensors, Filler(tensors));
    ASSERT_TRUE(status.ok()) << status.message();
  }

  void PutThree() {
    Put(Part(0, 3), 0, 3, {{"a", {1}, TensorType::kF32}});
    Put(Part(1, 3), 1, 3, {{"b", {2}, TensorType::kF32}});
    Put(Part(2, 3), 2, 3, {{"c", {3}, TensorType::kF32}});
  }

  fs::path folder_;
};

TEST_F(GgufSplit, AnyPartOpensTheWholeModel) {
  PutThree();
  for (std::uint16_t i = 0; i < 3; ++i) {
    const auto model = ModelFile::Open(Part(i, 3));
    ASSERT_TRUE(model.ok()) << model.status().message();
    ASSERT_EQ((*model)->tensors().size(), 3U);
    EXPECT_EQ((*model)->FindTensor("c")->dims[0], 3U);
    EXPECT_EQ((*model)->FindTensor("c")->bytes[0], std::byte{1});
    EXPECT_EQ((*model)->GetString("general.architecture").value(), "test");
    EXPECT_EQ((*model)->mappings().size(), 3U);
  }
}

TEST_F(GgufSplit, MissingOrForeignPartsAreNamed) {
  PutThree();
  fs::rename(Part(2, 3), folder_ / "away.gguf");
  EXPECT_EQ(ModelFile::Open(Part(0, 3)).status().code(), StatusCode::kNotFound);
  EXPECT_NE(ModelFile::Open(Part(0, 3)).status().message().find("m-00003-of-00003.gguf"),
            std::string::npos);
  EXPECT_EQ(ModelFile::Open(folder_ / "away.gguf").status().code(), StatusCode::kInvalidArgument);

  Put(Part(2, 3), 1, 3, {{"c", {3}, TensorType::kF32}});
  EXPECT_NE(ModelFile::Open(Part(0, 3)).status().message().find("says it is part 2 of 3"),
            std::string::npos);
  Put(Part(2, 3), 2, 3, {{"a", {3}, TensorType::kF32}});
  EXPECT_NE(ModelFile::Open(Part(0, 3)).status().message().find("tensor 'a' is in an earlier"),
            std::string::npos);
  Put(Part(2, 3), 2, 3, {{"c", {3}, TensorType::kF32}, {"d", {3}, TensorType::kF32}});
  EXPECT_NE(ModelFile::Open(Part(0, 3)).status().message().find("have 4 tensors"),
            std::string::npos);
}

TEST_F(GgufSplit, AWatchNoticesWhatIsDoneToAnyPartInPlace) {
  PutThree();
  {
    const auto model = ModelFile::Open(Part(0, 3)).value();
    const FileWatch watch(*model);
    EXPECT_TRUE(watch.Check().ok());
    const auto size = fs::file_size(Part(1, 3));
    fs::resize_file(Part(1, 3), size - 1);
    const Status cut = watch.Check();
    EXPECT_EQ(cut.code(), StatusCode::kIo);
    EXPECT_NE(cut.message().find(Format("m-00002-of-00003.gguf' was changed while it was in use: "
                                        "it had {} bytes and has {} now",
                                        size, size - 1)),
              std::string::npos)
        << cut.message();
  }
  PutThree();
  const auto model = ModelFile::Open(Part(0, 3)).value();
  const FileWatch watch(*model);
  fs::last_write_time(Part(2, 3), fs::file_time_type::clock::now() + std::chrono::seconds(2));
  EXPECT_EQ(watch.Check().code(), StatusCode::kIo);
  // Another file under the name: the mapped one lives on.
  PutThree();
  EXPECT_TRUE(watch.Check().ok());
  fs::remove(Part(0, 3));
  EXPECT_TRUE(watch.Check().ok());
}

TEST_F(GgufSplit, ReadsBytesOfTheProgram) {
  const auto bytes = WriteBytes(EveryKind(), {}, nullptr).value();
  const auto model = ModelFile::FromBytes(bytes, "embedded").value();
  EXPECT_EQ(model->name(), "embedded");
  EXPECT_TRUE(model->mappings().empty());
  EXPECT_EQ(model->file_bytes(), bytes.size());
}

TEST(GgufSplitName, ReplacesOnlyAWellFormedNumber) {
  EXPECT_EQ(SplitPartPath("d/m-00002-of-00003.gguf", 0, 3), "d/m-00001-of-00003.gguf");
  EXPECT_EQ(SplitPartPath("d/m-00002-of-00003.gguf", 0, 4), "");
  EXPECT_EQ(SplitPartPath("m-0000x-of-00003.gguf", 0, 3), "");
  EXPECT_EQ(SplitPartPath("-00001-of-00003.gguf", 1, 3), "-00002-of-00003.gguf");
  EXPECT_EQ(SplitPartPath("00001-of-00003.gguf", 1, 3), "");
  EXPECT_EQ(SplitPartPath("m.gguf", 1, 3), "");
}

}  // namespace
}  // namespace tandem::gguf
