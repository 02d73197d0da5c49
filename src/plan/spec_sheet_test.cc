#include "plan/spec_sheet.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "gguf/metadata.h"
#include "gguf/model_file.h"
#include "gguf/writer.h"
#include "plan/file_type.h"
#include "tests/support/shared_data.h"

namespace tandem {
namespace {

using gguf::TensorType;

// A container of zeros in memory.
class TestFile {
 public:
  gguf::Metadata metadata;
  std::vector<gguf::TensorSpec> tensors;

  void Add(std::string name, std::vector<std::uint64_t> dims, TensorType type = TensorType::kF32) {
    tensors.push_back({.name = std::move(name), .dims = std::move(dims), .type = type});
  }

  Result<SpecSheet> Read() {
    const auto zeros = [this](std::size_t index, const gguf::ByteSink& sink) {
      std::uint64_t elements = 1;
      for (const std::uint64_t dim : tensors[index].dims) {
        elements *= dim;
      }
      const auto size =
          gguf::TensorBytes(tensors[index].type, tensors[index].dims[0], elements).value();
      return sink(std::vector<std::byte>(static_cast<std::size_t>(size)));
    };
    bytes_ = gguf::WriteBytes(metadata, tensors, zeros).value();
    file_ = gguf::ModelFile::FromBytes(bytes_, "test.gguf").value();
    return ReadSpecSheet(*file_);
  }

 private:
  std::vector<std::byte> bytes_;
  std::unique_ptr<gguf::ModelFile> file_;
};

// The metadata of Qwen3.5-4B (models.md 3.1).
void AddQwen4bKeys(gguf::Metadata& m) {
  m.SetString("general.architecture", "qwen35");
  m.SetString("general.name", "Qwen3.5 4B");
  m.SetUint32("general.file_type", 15);
  m.SetUint32("qwen35.block_count", 33);
  m.SetUint32("qwen35.nextn_predict_layers", 1);
  m.SetUint32("qwen35.context_length", 262'144);
  m.SetUint32("qwen35.embedding_length", 2560);
  m.SetUint32("qwen35.feed_forward_length", 9216);
  m.SetUint32("qwen35.attention.head_count", 16);
  m.SetUint32("qwen35.attention.head_count_kv", 4);
  m.SetUint32("qwen35.attention.key_length", 256);
  m.SetUint32("qwen35.ssm.conv_kernel", 4);
  m.SetUint32("qwen35.ssm.state_size", 128);
  m.SetUint32("qwen35.ssm.group_count", 16);
  m.SetUint32("qwen35.ssm.time_step_rank", 32);
  m.SetUint32("qwen35.ssm.inner_size", 4096);
  m.SetUint32("qwen35.full_attention_interval", 4);
}

std::uint64_t ParametersOf(const SpecSheet& sheet, std::string_view component) {
  for (const ComponentSize& size : sheet.components) {
    if (size.name == component) {
      return size.parameters;
    }
  }
  return 0;
}

TEST(SpecSheet, GivesTheCacheSizesOfQwen4b) {
  TestFile file;
  AddQwen4bKeys(file.metadata);
  file.Add("token_embd.weight", {32, 2});
  const Result<SpecSheet> sheet = file.Read();
  ASSERT_TRUE(sheet.ok()) << sheet.status().message();
  ASSERT_TRUE(sheet->shape.has_value());
  const NetworkShape& shape = *sheet->shape;
  EXPECT_EQ(shape.attention_layers, 8U);
  EXPECT_EQ(shape.recurrent_layers, 24U);
  EXPECT_EQ(shape.mtp_layers, 1U);
  // models.md 2.7.
  EXPECT_EQ(shape.KvBytesPerToken(TensorType::kF16), 32'768U);
  EXPECT_EQ(shape.KvBytesPerToken(TensorType::kQ8_0), 17'408U);
  EXPECT_EQ(shape.state_bytes, 52'690'944U);
  EXPECT_EQ(sheet->file_type, "Q4_K_M");
  EXPECT_EQ(sheet->title, "Qwen3.5 4B");
}

TEST(SpecSheet, GivesTheCacheSizesOfPhi4Mini) {
  TestFile file;
  file.metadata.SetString("general.architecture", "phi3");
  file.metadata.SetUint32("phi3.block_count", 32);
  file.metadata.SetUint32("phi3.context_length", 131'072);
  file.metadata.SetUint32("phi3.embedding_length", 3072);
  file.metadata.SetUint32("phi3.feed_forward_length", 8192);
  file.metadata.SetUint32("phi3.attention.head_count", 24);
  file.metadata.SetUint32("phi3.attention.head_count_kv", 8);
  file.Add("token_embd.weight", {32, 2});
  const Result<SpecSheet> sheet = file.Read();
  ASSERT_TRUE(sheet.ok()) << sheet.status().message();
  ASSERT_TRUE(sheet->shape.has_value());
  EXPECT_EQ(sheet->shape->KvBytesPerToken(TensorType::kF16), 131'072U);
  EXPECT_EQ(sheet->shape->KvBytesPerToken(TensorType::kQ8_0), 69'632U);
  EXPECT_EQ(sheet->shape->state_bytes, 0U);
  EXPECT_EQ(sheet->shape->context_limit, 131'072U);
}

TEST(SpecSheet, SortsTensorsIntoComponents) {
  TestFile file;
  AddQwen4bKeys(file.metadata);
  file.Add("token_embd.weight", {32, 8}, TensorType::kQ8_0);
  file.Add("output.weight", {32, 4});
  file.Add("output_norm.weight", {3});
  file.Add("blk.0.attn_norm.weight", {5});
  file.Add("blk.0.attn_qkv.weight", {32, 10});
  file.Add("blk.0.attn_gate.weight", {32, 1});
  file.Add("blk.0.ssm_a", {7});
  file.Add("blk.0.ssm_norm.weight", {1});
  file.Add("blk.3.attn_q.weight", {32, 20});
  file.Add("blk.3.attn_k_norm.weight", {9});
  file.Add("blk.3.post_attention_norm.weight", {11});
  file.Add("blk.3.ffn_down.weight", {32, 30});
  file.Add("blk.32.attn_q.weight", {32, 40});
  file.Add("blk.32.nextn.enorm.weight", {13});
  file.Add("v.blk.0.attn_norm.weight", {17});
  file.Add("rope_factors_long.weight", {19});
  const Result<SpecSheet> sheet = file.Read();
  ASSERT_TRUE(sheet.ok()) << sheet.status().message();
  EXPECT_EQ(ParametersOf(*sheet, "embedding"), 256U);
  EXPECT_EQ(ParametersOf(*sheet, "output head"), 128U);
  EXPECT_EQ(ParametersOf(*sheet, "norms"), 3U + 5U + 11U);
  EXPECT_EQ(ParametersOf(*sheet, "DeltaNet"), 320U + 32U + 7U + 1U);
  EXPECT_EQ(ParametersOf(*sheet, "attention"), 640U + 9U);
  EXPECT_EQ(ParametersOf(*sheet, "feed-forward"), 960U);
  EXPECT_EQ(ParametersOf(*sheet, "MTP"), 1280U + 13U);
  EXPECT_EQ(ParametersOf(*sheet, "vision"), 17U);
  EXPECT_EQ(ParametersOf(*sheet, "other"), 19U);
  EXPECT_EQ(sheet->tensor_count, 16U);
  ASSERT_EQ(sheet->formats.size(), 2U);
  EXPECT_EQ(sheet->formats[0].type, TensorType::kF32);  // the larger share comes first
  EXPECT_EQ(sheet->formats[1].bytes, 8U * 34U);
}

TEST(SpecSheet, DescribesAnArchitectureThatTandemDoesNotRun) {
  TestFile file;
  file.metadata.SetString("general.architecture", "llama");
  file.Add("blk.0.attn_q.weight", {32, 2});
  const Result<SpecSheet> sheet = file.Read();
  ASSERT_TRUE(sheet.ok()) << sheet.status().message();
  EXPECT_FALSE(sheet->shape.has_value());
  EXPECT_EQ(sheet->parameters, 64U);
}

TEST(SpecSheet, NamesTheMissingKey) {
  TestFile file;
  AddQwen4bKeys(file.metadata);
  file.metadata.Remove("qwen35.ssm.inner_size");
  file.Add("token_embd.weight", {32, 2});
  const Result<SpecSheet> sheet = file.Read();
  ASSERT_FALSE(sheet.ok());
  EXPECT_NE(sheet.status().message().find("qwen35.ssm.inner_size"), std::string::npos);
}

TEST(SpecSheet, RefusesSizesThatMultiplyPastTheEnd) {
  TestFile file;
  AddQwen4bKeys(file.metadata);
  for (const char* key : {"qwen35.attention.head_count_kv", "qwen35.attention.key_length"}) {
    file.metadata.SetUint32(key, 0x7FFF'FFFF);
  }
  file.Add("token_embd.weight", {32, 2});
  const Result<SpecSheet> sheet = file.Read();
  ASSERT_FALSE(sheet.ok());
  EXPECT_EQ(sheet.status().code(), StatusCode::kCorrupt);
}

TEST(SpecSheet, FindsSpecialTokensAndTheThinkingSwitch) {
  TestFile file;
  file.metadata.SetString("general.architecture", "llama");
  const std::vector<std::string> tokens = {"a", "<|im_end|>"};
  file.metadata.SetStrings("tokenizer.ggml.tokens", tokens);
  file.metadata.SetUint32("tokenizer.ggml.eos_token_id", 1);
  file.metadata.SetString("tokenizer.chat_template", "{% if enable_thinking %}x{% endif %}");
  file.Add("token_embd.weight", {32, 2});
  const Result<SpecSheet> sheet = file.Read();
  ASSERT_TRUE(sheet.ok()) << sheet.status().message();
  ASSERT_EQ(sheet->special_tokens.size(), 1U);
  EXPECT_EQ(sheet->special_tokens[0].text, "<|im_end|>");
  EXPECT_TRUE(sheet->has_thinking_switch);

  file.metadata.SetUint32("tokenizer.ggml.eos_token_id", 2);
  EXPECT_EQ(file.Read().status().code(), StatusCode::kCorrupt);
}

TEST(SpecSheet, ReadsTheReferenceFiles) {
  TANDEM_SHARED_OR_SKIP(oracle, "oracle");
  for (const char* name : {"qwen-a", "qwen-b", "phi-a", "phi-b"}) {
    const auto file = gguf::ModelFile::Open(oracle / name / "f32.gguf");
    ASSERT_TRUE(file.ok()) << file.status().message();
    const Result<SpecSheet> sheet = ReadSpecSheet(**file);
    ASSERT_TRUE(sheet.ok()) << sheet.status().message();
    EXPECT_TRUE(sheet->shape.has_value());
    EXPECT_GT(sheet->parameters, 0U);
    EXPECT_GT(sheet->template_bytes, 0U);
  }
}

TEST(FileTypeName, NamesKnownRecipesOnly) {
  EXPECT_EQ(FileTypeName(7), "Q8_0");
  EXPECT_EQ(FileTypeName(999), "type 999");
}

}  // namespace
}  // namespace tandem
