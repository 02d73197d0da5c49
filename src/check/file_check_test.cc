#include "check/file_check.h"

#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "gguf/metadata.h"
#include "gguf/writer.h"

namespace tandem {
namespace {

using gguf::TensorType;

std::string Verdicts(const CheckReport& report) {
  std::string text;
  for (const CheckItem& item : report.items()) {
    text += std::string(VerdictName(item.verdict)) + " " + item.name + ": " + item.text + "\n";
  }
  return text;
}

const CheckItem* Find(const CheckReport& report, const std::string& name) {
  for (const CheckItem& item : report.items()) {
    if (item.name == name) {
      return &item;
    }
  }
  return nullptr;
}

// A small but complete model of random weights, which a test may damage.
class TinyModel {
 public:
  TinyModel() : source_(gguf::ModelFile::Open(kPath).value()) {
    for (const gguf::KeyValue& item : source_->metadata()) {
      metadata.SetCopy(item.key, item.value);
    }
    for (const gguf::TensorInfo& tensor : source_->tensors()) {
      tensors.push_back({.name = std::string(tensor.name),
                         .dims = {tensor.dims.begin(), tensor.dims.begin() + tensor.dim_count},
                         .type = tensor.type});
      bytes.emplace_back(tensor.bytes.begin(), tensor.bytes.end());
    }
  }

  std::size_t Index(const std::string& name) const {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      if (tensors[i].name == name) {
        return i;
      }
    }
    ADD_FAILURE() << "no tensor " << name;
    return 0;
  }

  void Remove(const std::string& name) {
    const auto at = static_cast<std::ptrdiff_t>(Index(name));
    tensors.erase(tensors.begin() + at);
    bytes.erase(bytes.begin() + at);
  }

  void Add(const std::string& name, std::vector<std::uint64_t> dims) {
    std::size_t count = 1;
    for (const std::uint64_t dim : dims) {
      count *= dim;
    }
    tensors.push_back({.name = name, .dims = std::move(dims), .type = TensorType::kF32});
    bytes.emplace_back(count * sizeof(float), std::byte{0x3C});
  }

  const gguf::ModelFile& File() {
    const auto write = [this](std::size_t index, const gguf::ByteSink& sink) {
      return sink(bytes[index]);
    };
    written_ = gguf::WriteBytes(metadata, tensors, write).value();
    file_ = gguf::ModelFile::FromBytes(written_, "tiny.gguf").value();
    return *file_;
  }

  CheckReport Check(bool* loaded = nullptr) {
    CheckReport report;
    const bool could = CheckFile(File(), report);
    if (loaded != nullptr) {
      *loaded = could;
    }
    return report;
  }

  gguf::Metadata metadata;
  std::vector<gguf::TensorSpec> tensors;
  std::vector<std::vector<std::byte>> bytes;

 private:
  static constexpr const char* kPath = TANDEM_SOURCE_DIR "/tests/data/oracle/phi-a/f32.gguf";
  std::unique_ptr<gguf::ModelFile> source_;
  std::vector<std::byte> written_;
  std::unique_ptr<gguf::ModelFile> file_;
};

TEST(CheckFile, FindsNothingWrongWithASoundModel) {
  bool loaded = false;
  const CheckReport report = TinyModel().Check(&loaded);
  EXPECT_TRUE(loaded);
  EXPECT_TRUE(report.ok()) << Verdicts(report);
}

TEST(CheckFile, NamesAMissingTensor) {
  TinyModel model;
  model.Remove("blk.1.ffn_down.weight");
  bool loaded = true;
  const CheckReport report = model.Check(&loaded);
  EXPECT_FALSE(loaded);
  EXPECT_FALSE(report.ok());
  ASSERT_NE(Find(report, "tensors"), nullptr);
  EXPECT_NE(Find(report, "tensors")->text.find("blk.1.ffn_down.weight"), std::string::npos)
      << Verdicts(report);
  EXPECT_NE(Find(report, "tokenizer"), nullptr);  // the rest that can be looked at is
}

TEST(CheckFile, NamesAMissingKey) {
  TinyModel model;
  model.metadata.Remove("phi3.embedding_length");
  const CheckReport report = model.Check();
  EXPECT_FALSE(report.ok());
  EXPECT_NE(Verdicts(report).find("phi3.embedding_length"), std::string::npos) << Verdicts(report);
}

TEST(CheckFile, MissesTheTemplateAndTheTokenizer) {
  TinyModel model;
  model.metadata.Remove("tokenizer.chat_template");
  CheckReport report = model.Check();
  EXPECT_EQ(Find(report, "template")->verdict, CheckItem::Verdict::kFailed);
  model.metadata.SetString("tokenizer.chat_template", "{% if %}");
  model.metadata.Remove("tokenizer.ggml.merges");
  report = model.Check();
  EXPECT_EQ(Find(report, "template")->verdict, CheckItem::Verdict::kFailed);
  EXPECT_EQ(Find(report, "tokenizer")->verdict, CheckItem::Verdict::kFailed);
}

TEST(CheckFile, FindsValuesThatAreNoNumbers) {
  TinyModel model;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(model.bytes[model.Index("blk.0.ffn_up.weight")].data() + 8, &nan, sizeof(nan));
  const CheckReport report = model.Check();
  ASSERT_NE(Find(report, "numbers"), nullptr) << Verdicts(report);
  EXPECT_EQ(Find(report, "numbers")->verdict, CheckItem::Verdict::kFailed);
  EXPECT_NE(Find(report, "numbers")->text.find("blk.0.ffn_up.weight: row 0"), std::string::npos);
}

TEST(CheckFile, FindsAHoleInTheFile) {
  TinyModel model;
  std::vector<std::byte>& weights = model.bytes[model.Index("blk.0.ffn_up.weight")];
  std::fill(weights.begin(), weights.end(), std::byte{0});
  const CheckReport report = model.Check();
  EXPECT_EQ(Find(report, "numbers")->verdict, CheckItem::Verdict::kFailed) << Verdicts(report);
}

TEST(DescribeLayout, TellsThePublishedLayoutsApart) {
  TinyModel plain;
  EXPECT_EQ(LayoutText(DescribeLayout(plain.File())).substr(0, 16), "text model alone");
  TinyModel untied;
  const bool was_tied = DescribeLayout(untied.File()).tied_head;
  untied.Add("output.weight", {8, 4});
  EXPECT_FALSE(DescribeLayout(untied.File()).tied_head);
  EXPECT_TRUE(was_tied);
  TinyModel mtp;
  mtp.Add("blk.4.nextn.eh_proj.weight", {8, 4});
  EXPECT_TRUE(DescribeLayout(mtp.File()).mtp);
  EXPECT_FALSE(DescribeLayout(mtp.File()).merged);
  TinyModel merged;
  merged.Add("v.patch_embed.weight", {8, 4});
  merged.Add("mtp.fc.weight", {8, 4});
  merged.metadata.SetUint32("qwen35.vision.block_count", 2);
  const FileLayout layout = DescribeLayout(merged.File());
  EXPECT_TRUE(layout.merged && layout.vision && layout.mtp);
}

}  // namespace
}  // namespace tandem
