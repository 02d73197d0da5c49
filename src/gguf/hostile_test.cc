// Containers that lie: each must be refused with the numbers in the message, none may crash or
// allocate what it claims.

#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "base/format.h"
#include "gguf/model_file.h"
#include "gguf/reader.h"
#include "gguf/writer.h"
#include "tests/support/shared_data.h"

namespace tandem::gguf {
namespace {

/// Bytes put together by hand.
class Raw {
 public:
  template <typename T>
  Raw& Put(T value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Raw& U32(std::uint32_t value) { return Put(value); }
  Raw& U64(std::uint64_t value) { return Put(value); }
  Raw& Str(std::string_view text) {
    U64(text.size());
    const auto bytes = std::as_bytes(std::span(text));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Raw& Zeros(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  /// Zeros up to a multiple of 32, then `data` of them: a data section.
  Raw& Data(std::size_t data) { return Zeros((32 - bytes_.size() % 32) % 32 + data); }

  std::string Error() const {
    const Result<File> file = File::Parse(bytes_, "f");
    return file.ok() ? "accepted" : file.status().message();
  }

 private:
  std::vector<std::byte> bytes_;
};

Raw Header(std::uint64_t tensors, std::uint64_t keys, std::uint32_t version = 3) {
  return Raw().U32(0x46554747).U32(version).U64(tensors).U64(keys);
}

/// One F32 tensor "t" with the given directory row.
Raw OneTensor(std::vector<std::uint64_t> dims, std::uint32_t type, std::uint64_t offset) {
  Raw raw = Header(1, 0);
  raw.Str("t").U32(static_cast<std::uint32_t>(dims.size()));
  for (const std::uint64_t dim : dims) {
    raw.U64(dim);
  }
  return raw.U32(type).U64(offset);
}

constexpr std::uint64_t kHuge = std::uint64_t{1} << 63;

TEST(GgufReader, RefusesForeignFilesAndVersions) {
  EXPECT_EQ(Raw().Error(), "f: ends inside the header: 4 bytes needed at byte 0, 0 left of 0");
  EXPECT_EQ(Raw().Str("").Zeros(9).Error(),
            "f: not a GGUF file: it starts with \"\\x00\\x00\\x00\\x00\"");
  EXPECT_EQ(Header(0, 0, 1).Error(), "f: has GGUF version 1; versions 2 and 3 are read");
  EXPECT_EQ(Header(0, 0, 4).Error(), "f: has GGUF version 4; versions 2 and 3 are read");
  EXPECT_EQ(Header(0, 0, 0x03000000).Error(),
            "f: is a big-endian GGUF file; only little endian is read");
  EXPECT_EQ(Header(0, 0, 2).Error(), "accepted");
}

TEST(GgufReader, RefusesCountsThatTheFileCannotHold) {
  EXPECT_EQ(Header(kHuge, 0).Zeros(100).Error(),
            "f: claims 9223372036854775808 tensors, too many for the 100 bytes that follow");
  EXPECT_EQ(Header(0, ~std::uint64_t{0}).Zeros(100).Error(),
            "f: claims 18446744073709551615 metadata keys, too many for the 100 bytes that follow");
  EXPECT_EQ(Header(0, 1).Str("k").U32(9).U32(4).U64(kHuge).Error(),
            "f: key 'k' claims 9223372036854775808 array elements of type u32, but 0 bytes are "
            "left");
  EXPECT_EQ(Header(0, 1).Str("k").U32(9).U32(8).U64(kHuge / 4).Zeros(64).Error(),
            "f: key 'k' claims 2305843009213693952 array elements of type string, but 64 bytes are "
            "left");
  EXPECT_NE(Header(0, 1).Str("k").U32(9).U32(9).U64(2).Zeros(12).Error(), "accepted");
}

TEST(GgufReader, RefusesStringsPastTheEnd) {
  EXPECT_EQ(
      Header(0, 1).U64(kHuge).Zeros(16).Error(),
      "f: ends inside a metadata key: 9223372036854775808 bytes needed at byte 32, 16 left of "
      "48");
  EXPECT_EQ(Header(0, 1).Str("k").U32(8).U64(~std::uint64_t{0}).Error(),
            "f: ends inside the value of 'k': 18446744073709551615 bytes needed at byte 45, 0 left "
            "of 45");
}

TEST(GgufReader, RefusesUnknownValueTypes) {
  EXPECT_EQ(Header(0, 1).Str("k").U32(13).U64(0).Error(), "f: key 'k' has unknown value type 13");
  EXPECT_EQ(Header(0, 1).Str("k").U32(9).U32(99).U64(0).Error(),
            "f: key 'k' has array elements of unknown type 99");
}

TEST(GgufReader, ReadsNestedArraysToAnEnd) {
  Raw two = Header(0, 1);
  two.Str("k").U32(9).U32(9).U64(2);
  two.U32(4).U64(1).U32(5);
  two.U32(8).U64(2).Str("ab").Str("");
  EXPECT_EQ(two.Error(), "accepted");

  Raw deep = Header(0, 1);
  deep.Str("k").U32(9);
  for (int i = 0; i < 100'000; ++i) {
    deep.U32(9).U64(1);
  }
  EXPECT_EQ(deep.Error(), "f: key 'k' nests more than 8 arrays");
}

TEST(GgufReader, RefusesDuplicates) {
  EXPECT_EQ(Header(0, 2).Str("k").U32(0).Put('a').Str("k").U32(0).Put('a').Error(),
            "f: key 'k' appears twice");
  Raw raw = Header(2, 0);
  for (int i = 0; i < 2; ++i) {
    raw.Str("t").U32(1).U64(1).U32(0).U64(0);
  }
  EXPECT_EQ(raw.Data(4).Error(), "f: tensor 't' appears twice");
}

TEST(GgufReader, RefusesBadAlignment) {
  const auto with = [](std::uint32_t alignment) {
    return Header(0, 1).Str("general.alignment").U32(4).U32(alignment).Error();
  };
  EXPECT_EQ(with(0), "f: general.alignment is 0, not a power of two");
  EXPECT_EQ(with(48), "f: general.alignment is 48, not a power of two");
  EXPECT_EQ(with(64), "accepted");
  EXPECT_EQ(Header(0, 1).Str("general.alignment").U32(8).Str("32").Error(),
            "f: key 'general.alignment' is string, but an unsigned integer is needed");
  // A data section that begins beyond 2^64.
  Raw raw = Header(1, 1).Str("general.alignment").U32(10).U64(kHuge);
  EXPECT_NE(raw.Str("t").U32(1).U64(1).U32(0).U64(0).Data(4).Error(), "accepted");
}

TEST(GgufReader, RefusesTensorPastEndOfFile) {
  EXPECT_EQ(OneTensor({8, 4}, 0, 0).Data(128).Error(), "accepted");
  EXPECT_EQ(OneTensor({8, 4}, 0, 0).Data(127).Error(),
            "f: tensor 't' needs 128 bytes at byte 0 of the tensor data, which has 127 (the file "
            "has 223)");
  EXPECT_EQ(OneTensor({8, 4}, 0, 32).Data(128).Error(),
            "f: tensor 't' needs 128 bytes at byte 32 of the tensor data, which has 128 (the file "
            "has 224)");
  EXPECT_EQ(OneTensor({8, 4}, 0, 4).Data(256).Error(),
            "f: tensor 't' has offset 4, not a multiple of the alignment 32");
  EXPECT_EQ(OneTensor({8, 4}, 0, ~std::uint64_t{31}).Data(128).Error(),
            "f: tensor 't' has offset 18446744073709551584 and 32 elements of F32, which wraps");
}

TEST(GgufReader, RefusesImpossibleShapes) {
  EXPECT_EQ(OneTensor({kHuge, 4}, 0, 0).Data(128).Error(),
            "f: tensor 't' has more than 2^64 elements: dimension 1 is 4 after 9223372036854775808 "
            "elements");
  EXPECT_EQ(OneTensor({kHuge}, 0, 0).Data(128).Error(),
            "f: tensor 't' has offset 0 and 9223372036854775808 elements of F32, which wraps");
  EXPECT_EQ(OneTensor({4, 0}, 0, 0).Data(128).Error(), "f: tensor 't' has size 0 in dimension 1");
  EXPECT_EQ(OneTensor({1, 1, 1, 1, 1}, 0, 0).Data(128).Error(),
            "f: tensor 't' has 5 dimensions; at most 4 exist");
  EXPECT_EQ(OneTensor({33}, 8, 0).Data(128).Error(),
            "f: tensor 't' has rows of 33 values, not a multiple of the 32 of a Q8_0 block");
}

TEST(GgufReader, RefusesUnknownTensorTypes) {
  for (const std::uint32_t id : {4U, 5U, 31U, 36U, 38U, 42U, ~0U}) {
    EXPECT_EQ(OneTensor({256}, id, 0).Data(4096).Error(),
              Format("f: tensor 't' has unknown type id {}", id));
  }
}

/// A small container with all kinds of things in it.
std::vector<std::byte> Sample() {
  Metadata m;
  m.SetString("general.architecture", "test");
  m.SetBools("flags", {true, false, true});
  m.SetFloat64("pi", 3.14);
  const std::vector<std::string> words = {"alpha", "", "gamma"};
  m.SetStrings("words", words);
  const std::vector<TensorSpec> tensors = {{"first", {3, 2}, TensorType::kF16},
                                           {"second", {32}, TensorType::kQ8_0}};
  return WriteBytes(m, tensors,
                    [](std::size_t index, const ByteSink& sink) {
                      return sink(std::vector<std::byte>(index == 0 ? 12 : 34, std::byte{7}));
                    })
      .value();
}

/// Touches everything that a parsed file gives.
std::size_t Walk(const File& file) {
  std::size_t sum = 0;
  for (const KeyValue& item : file.metadata()) {
    item.value.ForEach([&](const Value& element) {
      sum += element.payload().size() + element.AsString().value_or("").size();
      return true;
    });
  }
  for (const TensorInfo& tensor : file.tensors()) {
    for (const std::byte byte : tensor.bytes) {
      sum += static_cast<std::size_t>(byte);
    }
  }
  return sum;
}

TEST(GgufReader, SurvivesTruncationAtEveryByte) {
  const std::vector<std::byte> whole = Sample();
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    // A copy of its own size, so that a sanitizer sees every byte read too far.
    const std::vector<std::byte> part(whole.begin(),
                                      whole.begin() + static_cast<std::ptrdiff_t>(size));
    const Result<File> file = File::Parse(part, "f");
    if (file.ok()) {
      EXPECT_GE(whole.size() - size, 0U);
      EXPECT_LT(whole.size() - size, 32U) << "only padding may be missing";
      Walk(*file);
    }
  }
}

TEST(GgufReader, SurvivesEveryChangedByte) {
  const std::vector<std::byte> whole = Sample();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int change : {0x01, 0x7F, 0x80, 0xFF}) {
      std::vector<std::byte> bytes = whole;
      bytes[at] ^= static_cast<std::byte>(change);
      const Result<File> file = File::Parse(bytes, "f");
      if (file.ok()) {
        Walk(*file);
      }
    }
  }
}

TEST(GgufReader, ReadsConvertedCheckpoints) {
  for (const std::string name : {"qwen-a", "qwen-b", "phi-a", "phi-b"}) {
    TANDEM_SHARED_OR_SKIP(path, "oracle/" + name + "/f32.gguf");
    const auto model = ModelFile::Open(path);
    ASSERT_TRUE(model.ok()) << model.status().message();
    EXPECT_EQ((*model)->GetString("general.architecture").value(),
              name.starts_with("qwen") ? "qwen35" : "phi3");
    EXPECT_NE((*model)->FindTensor("token_embd.weight"), nullptr);
    EXPECT_EQ((*model)->GetStringArray("tokenizer.ggml.tokens").value().size(),
              (*model)->FindTensor("token_embd.weight")->dims[1]);
  }
}

}  // namespace
}  // namespace tandem::gguf
