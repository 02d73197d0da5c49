#include "convert/convert.h"

#include <unistd.h>

#include <cstring>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "base/format.h"
#include "convert/checkpoint_planner.h"
#include "convert/general_keys.h"
#include "convert/planned_tensor.h"
#include "gguf/model_file.h"
#include "gguf/writer.h"
#include "hf/config.h"
#include "io/file.h"
#include "io/json.h"
#include "quant/formats.h"
#include "tests/support/shared_data.h"

namespace tandem::convert {
namespace {

namespace fs = std::filesystem;
using gguf::TensorType;

/// A folder of its own for each test.
class Conversion : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tandem-convert-XXXXXX").native();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// Converts and opens the result.
  std::unique_ptr<gguf::ModelFile> Run(const fs::path& source, std::string type,
                                       CheckpointPart part = CheckpointPart::kText) {
    const fs::path output = folder_ / (type + ".gguf");
    const auto summary =
        Convert({.source = source, .output = output, .type = std::move(type), .part = part});
    EXPECT_TRUE(summary.ok()) << summary.status().message();
    auto model = gguf::ModelFile::Open(output);
    EXPECT_TRUE(model.ok()) << model.status().message();
    return model.ok() ? std::move(model).value() : nullptr;
  }

  std::size_t Entries() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  /// A copy of a shared checkpoint that a test may damage.
  fs::path Copy(const fs::path& checkpoint) {
    const fs::path copy = folder_ / "copy";
    fs::create_directories(copy);
    for (const auto& entry : fs::directory_iterator(checkpoint)) {
      if (entry.path().extension() != ".gguf") {
        fs::copy_file(entry.path(), copy / entry.path().filename());
        fs::permissions(copy / entry.path().filename(), fs::perms::owner_all);
      }
    }
    return copy;
  }

  /// Sets one field of a JSON file; `path` is a JSON pointer.
  static void Patch(const fs::path& file, const std::string& path, const Json& value) {
    Json json = ReadJsonFile(file).value();
    json[Json::json_pointer(path)] = value;
    std::ofstream(file) << json.dump();
  }

  std::string ConvertError(const fs::path& source) {
    const auto summary = Convert({.source = source, .output = folder_ / "out.gguf", .type = "f16"});
    return summary.ok() ? "accepted" : summary.status().message();
  }

  fs::path folder_;
};

/// For -exp(x): torch's exp is not the nearest float everywhere, and not the same on every machine.
bool EqualWithinOneUlp(std::span<const std::byte> a, std::span<const std::byte> b) {
  std::vector<std::int32_t> x(a.size() / 4);
  std::vector<std::int32_t> y(b.size() / 4);
  std::memcpy(x.data(), a.data(), a.size());
  std::memcpy(y.data(), b.data(), b.size());
  return std::ranges::equal(x, y, [](std::int32_t p, std::int32_t q) {
    return std::abs(std::int64_t{p} - std::int64_t{q}) <= 1;
  });
}

class OracleConversion : public Conversion, public testing::WithParamInterface<std::string> {};

// The same keys in the same order, apart from ours, and the same tensors.
void ExpectEqualFiles(const gguf::ModelFile& ours, const gguf::ModelFile& theirs) {
  std::vector<std::string_view> order;
  for (const gguf::KeyValue& item : ours.metadata()) {
    if (!item.key.starts_with("tandem.")) {
      order.push_back(item.key);
    }
  }
  std::vector<std::string_view> wanted_order;
  for (const gguf::KeyValue& item : theirs.metadata()) {
    wanted_order.push_back(item.key);
    const gguf::Value* value = ours.Find(item.key);
    ASSERT_NE(value, nullptr) << item.key;
    EXPECT_EQ(value->type(), item.value.type()) << item.key;
    EXPECT_TRUE(std::ranges::equal(value->payload(), item.value.payload())) << item.key;
  }
  EXPECT_EQ(order, wanted_order);

  ASSERT_EQ(ours.tensors().size(), theirs.tensors().size());
  for (std::size_t i = 0; i < theirs.tensors().size(); ++i) {
    const gguf::TensorInfo& got = ours.tensors()[i];
    const gguf::TensorInfo& want = theirs.tensors()[i];
    EXPECT_EQ(got.name, want.name);
    EXPECT_EQ(got.type, want.type) << want.name;
    EXPECT_EQ(got.dims, want.dims) << want.name;
    EXPECT_EQ(got.dim_count, want.dim_count) << want.name;
    if (want.name.ends_with(".ssm_a")) {
      EXPECT_TRUE(EqualWithinOneUlp(got.bytes, want.bytes)) << want.name;
    } else {
      EXPECT_TRUE(std::ranges::equal(got.bytes, want.bytes)) << want.name;
    }
  }
}

TEST_P(OracleConversion, EqualsTheReferenceConverter) {
  TANDEM_SHARED_OR_SKIP(folder, "oracle/" + GetParam());
  const auto ours = Run(folder, "f32");
  ASSERT_NE(ours, nullptr);
  ExpectEqualFiles(*ours, *gguf::ModelFile::Open(folder / "f32.gguf").value());
}

TEST_P(OracleConversion, VisionFileEqualsTheReferenceConverters) {
  TANDEM_SHARED_OR_SKIP(folder, "oracle/" + GetParam());
  if (GetParam().starts_with("phi")) {
    const auto refused = Convert({.source = folder,
                                  .output = folder_ / "out.gguf",
                                  .type = "f32",
                                  .part = CheckpointPart::kVision});
    EXPECT_EQ(refused.status().code(), StatusCode::kUnsupported);
    EXPECT_EQ(Entries(), 0U);
    return;
  }
  const auto ours = Run(folder, "f32", CheckpointPart::kVision);
  ASSERT_NE(ours, nullptr);
  ExpectEqualFiles(*ours, *gguf::ModelFile::Open(folder / "mmproj.gguf").value());
  // The limits of this folder's preprocessor configs; none are written when they are the published.
  EXPECT_EQ(ours->Has("tandem.vision.image_max_pixels"), GetParam() == "qwen-a");
  const auto half = Run(folder, "f16", CheckpointPart::kVision);
  EXPECT_EQ(half->FindTensor("v.patch_embd.weight.1")->type, TensorType::kF16);
  EXPECT_EQ(half->FindTensor("v.position_embd.weight")->type, TensorType::kF32);
  EXPECT_EQ(half->FindTensor("v.blk.0.attn_qkv.weight")->type, TensorType::kF16);
  EXPECT_EQ(half->FindTensor("v.blk.0.attn_qkv.bias")->type, TensorType::kF32);
  const auto bytes = Run(folder, "q8_0", CheckpointPart::kVision);
  EXPECT_EQ(bytes->FindTensor("v.patch_embd.weight")->type, TensorType::kF32);
}

TEST_P(OracleConversion, OneFileHoldsWhatTwoDo) {
  TANDEM_SHARED_OR_SKIP(folder, "oracle/" + GetParam());
  if (GetParam().starts_with("phi")) {
    const auto refused =
        Convert({.source = folder, .output = folder_ / "out.gguf", .part = CheckpointPart::kBoth});
    EXPECT_EQ(refused.status().code(), StatusCode::kUnsupported);
    return;
  }
  const auto both = Run(folder, "f16", CheckpointPart::kBoth);
  ASSERT_NE(both, nullptr);
  std::size_t tensors = 0;
  for (const CheckpointPart part : {CheckpointPart::kText, CheckpointPart::kVision}) {
    const auto one = Run(folder, "bf16", part);  // another name; only what is there is compared
    tensors += one->tensors().size();
    for (const gguf::TensorInfo& tensor : one->tensors()) {
      ASSERT_NE(both->FindTensor(tensor.name), nullptr) << tensor.name;
      EXPECT_EQ(both->FindTensor(tensor.name)->dims, tensor.dims);
    }
    for (const gguf::KeyValue& item : one->metadata()) {
      std::string key(item.key);
      if (key.starts_with("clip.vision.")) {
        key.replace(0, 4, "qwen35");
      }
      const bool own = key.starts_with("clip.") || key.starts_with("general.");
      const gguf::Value* value = both->Find(key);
      ASSERT_EQ(value != nullptr, !key.starts_with("clip.")) << key;
      EXPECT_TRUE(own || std::ranges::equal(value->payload(), item.value.payload())) << key;
    }
  }
  EXPECT_EQ(both->tensors().size(), tensors);
  EXPECT_EQ(both->GetString("general.type").value(), "model");
}

TEST_P(OracleConversion, SmallerTypesAreTheF32ValuesRounded) {
  TANDEM_SHARED_OR_SKIP(folder, "oracle/" + GetParam());
  const auto full = Run(folder, "f32");
  for (const std::string type : {"f16", "bf16", "q8_0"}) {
    const auto model = Run(folder, type);
    ASSERT_NE(model, nullptr);
    const quant::Format& format = *quant::FindFormat(type);
    std::set<TensorType> seen;
    for (std::size_t i = 0; i < full->tensors().size(); ++i) {
      const gguf::TensorInfo& want = full->tensors()[i];
      const gguf::TensorInfo& got = model->tensors()[i];
      seen.insert(got.type);
      const bool table = want.dim_count < 2 || want.name.ends_with("ssm_conv1d.weight");
      const bool fits = want.dims[0] % format.block_len == 0;
      const TensorType expected = table ? TensorType::kF32 : fits ? format.type : TensorType::kF16;
      ASSERT_EQ(got.type, expected) << want.name;
      std::vector<float> values(want.elements());
      std::memcpy(values.data(), want.bytes.data(), want.bytes.size());
      std::vector<std::byte> bytes(got.bytes.size());
      quant::Encode(*quant::FindFormat(got.type), values, bytes);
      EXPECT_TRUE(std::ranges::equal(bytes, got.bytes)) << want.name;
    }
    EXPECT_TRUE(seen.contains(format.type));
  }
}

TEST_P(OracleConversion, FromGgufEqualsFromTheCheckpoint) {
  TANDEM_SHARED_OR_SKIP(folder, "oracle/" + GetParam());
  ASSERT_NE(Run(folder, "f32"), nullptr);
  for (const std::string type : {"f32", "f16", "bf16", "q8_0"}) {
    const auto direct = Run(folder, type);
    const fs::path output = folder_ / "again.gguf";
    ASSERT_TRUE(Convert({.source = folder_ / "f32.gguf", .output = output, .type = type}).ok());
    const auto again = gguf::ModelFile::Open(output).value();
    EXPECT_EQ(again->GetUint("general.file_type").value(),
              direct->GetUint("general.file_type").value());
    ASSERT_EQ(again->tensors().size(), direct->tensors().size());
    for (const gguf::TensorInfo& tensor : direct->tensors()) {
      const gguf::TensorInfo* other = again->FindTensor(tensor.name);
      ASSERT_NE(other, nullptr);
      EXPECT_EQ(other->type, tensor.type);
      EXPECT_TRUE(std::ranges::equal(other->bytes, tensor.bytes)) << tensor.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Oracle, OracleConversion,
                         testing::Values("qwen-a", "qwen-b", "phi-a", "phi-b"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST_F(Conversion, CancellingLeavesNothing) {
  TANDEM_SHARED_OR_SKIP(folder, "oracle/phi-b");
  std::size_t calls = 0;
  const auto summary = Convert({.source = folder,
                                .output = folder_ / "a.gguf",
                                .type = "q8_0",
                                .progress = [&](const Progress& progress) {
                                  EXPECT_EQ(progress.done, calls);
                                  return ++calls < 5;
                                }});
  EXPECT_EQ(summary.status().code(), StatusCode::kCancelled);
  EXPECT_EQ(calls, 5U);
  EXPECT_EQ(Entries(), 0U);
}

TEST_F(Conversion, FailingLeavesTheOldFile) {
  TANDEM_SHARED_OR_SKIP(folder, "oracle/phi-b");
  const fs::path copy = Copy(folder);
  std::ofstream(folder_ / "out.gguf") << "old";
  Patch(copy / "config.json", "/intermediate_size", 97);
  EXPECT_EQ(
      ConvertError(copy),
      "tensor 'model.layers.0.mlp.gate_up_proj.weight' has shape [192, 64]; config.json needs "
      "[194, 64]");
  EXPECT_EQ(ReadFile(folder_ / "out.gguf").value(), "old");
}

TEST_F(Conversion, RefusesWhatItWouldConvertWrongly) {
  TANDEM_SHARED_OR_SKIP(folder, "oracle/qwen-a");
  const fs::path copy = Copy(folder);
  const fs::path config = copy / "config.json";
  const std::string original = ReadFile(config).value();
  const auto with = [&](const std::string& pointer, const Json& value) {
    std::ofstream(config) << original;
    Patch(config, pointer, value);
    return ConvertError(copy);
  };
  const std::string where = config.native() + ": ";
  EXPECT_EQ(with("/architectures/0", "LlamaForCausalLM"),
            where +
                "architecture 'LlamaForCausalLM' cannot be converted; known: "
                "Qwen3_5ForConditionalGeneration, Qwen3_5ForCausalLM, Phi3ForCausalLM");
  EXPECT_EQ(with("/text_config/hidden_act", "gelu"),
            where + "'hidden_act' is 'gelu', which cannot be converted");
  EXPECT_EQ(with("/text_config/attn_output_gate", false),
            where + "'attn_output_gate' is false, which cannot be converted");
  EXPECT_EQ(with("/text_config/rope_parameters/rope_type", "longrope"),
            where + "rotary scaling 'longrope' cannot be converted for this architecture");
  EXPECT_EQ(with("/text_config/mtp_num_hidden_layers", 2),
            where + "'mtp_num_hidden_layers' is 2, but the checkpoint has 1 such layers");
  EXPECT_EQ(with("/text_config/num_hidden_layers", 4),
            where + "'layer_types' is no list of 4 names");
  EXPECT_EQ(with("/text_config/vocab_size", 641),
            "tensor 'model.language_model.embed_tokens.weight' has shape [640, 64]; config.json "
            "needs [641, 64]");
  EXPECT_EQ(with("/text_config/hidden_size", nullptr), where + "has no 'hidden_size'");
  std::ofstream(config) << original;
  EXPECT_EQ(ConvertError(copy), "accepted");
  Patch(copy / "tokenizer.json", "/pre_tokenizer/pretokenizers/0/pattern/Regex", "x+");
  EXPECT_EQ(ConvertError(copy), "the tokenizer splits text by an unknown pattern: x+");
}

TEST_F(Conversion, KeepsRstripFlagsAndEveryEnd) {
  TANDEM_SHARED_OR_SKIP(folder, "oracle/phi-a");
  const fs::path copy = Copy(folder);
  Patch(copy / "tokenizer_config.json", "/added_tokens_decoder",
        {{"558", {{"content", "<|end|>"}, {"rstrip", true}, {"special", true}}},
         {"559", {{"content", "<|user|>"}, {"rstrip", true}, {"special", true}}}});
  const auto model = Run(copy, "f16");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->GetIntArray("tandem.tokenizer.rstrip_ids").value(),
            (std::vector<std::int64_t>{558, 559}));
  EXPECT_EQ(model->GetIntArray("tandem.tokenizer.eos_ids").value(),
            (std::vector<std::int64_t>{558, 556}));
  EXPECT_FALSE(model->Has("tandem.tokenizer.nfc"));
}

TEST_F(Conversion, WritesYarnScaling) {
  TANDEM_SHARED_OR_SKIP(folder, "oracle/qwen-b");
  const fs::path copy = Copy(folder);
  Patch(copy / "config.json", "/text_config/rope_parameters/rope_type", "yarn");
  Patch(copy / "config.json", "/text_config/rope_parameters/factor", 4.0);
  Patch(copy / "config.json", "/text_config/rope_parameters/original_max_position_embeddings",
        1024);
  const auto model = Run(copy, "bf16");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->GetString("qwen35.rope.scaling.type").value(), "yarn");
  EXPECT_EQ(model->GetFloat("qwen35.rope.scaling.factor").value(), 4.0F);
  EXPECT_EQ(model->GetUint("qwen35.rope.scaling.original_context_length").value(), 1024U);
}

/// Rewrites a safetensors file without the tensors whose names begin with `prefix`.
void DropTensors(const fs::path& path, std::string_view prefix) {
  const std::string bytes = ReadFile(path).value();
  const auto tensors = hf::ParseSafetensors(std::as_bytes(std::span(bytes)), "t").value();
  Json header = Json::object();
  std::string data;
  for (const hf::Tensor& tensor : tensors) {
    if (!tensor.name.starts_with(prefix)) {
      header[tensor.name] = {{"dtype", tensor.dtype_name},
                             {"shape", tensor.shape},
                             {"data_offsets", {data.size(), data.size() + tensor.bytes.size()}}};
      data.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
    }
  }
  const std::string text = header.dump();
  const std::uint64_t length = text.size();
  std::string out(sizeof(length), '\0');
  std::memcpy(out.data(), &length, sizeof(length));
  ASSERT_TRUE(WriteFileAtomically(path, out + text + data).ok());
}

TEST_F(Conversion, DoesWithoutPredictionBlocks) {
  TANDEM_SHARED_OR_SKIP(folder, "oracle/qwen-b");
  const fs::path copy = Copy(folder);
  DropTensors(copy / "model.safetensors", "mtp.");
  const auto model = Run(copy, "bf16");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->GetUint("qwen35.block_count").value(), 4U);
  EXPECT_FALSE(model->Has("qwen35.nextn_predict_layers"));
  EXPECT_EQ(model->FindTensor("blk.4.attn_norm.weight"), nullptr);

  DropTensors(copy / "model.safetensors", "model.language_model.layers.2.mlp.up");
  EXPECT_EQ(ConvertError(copy),
            "the checkpoint has no tensor 'model.language_model.layers.2.mlp.up_proj.weight'");
}

TEST_F(Conversion, RefusesTensorsItDoesNotKnow) {
  TANDEM_SHARED_OR_SKIP(folder, "oracle/phi-b");
  const fs::path copy = Copy(folder);
  Patch(copy / "config.json", "/num_hidden_layers", 2);
  EXPECT_EQ(ConvertError(copy),
            "the checkpoint has a tensor 'model.layers.2.input_layernorm.weight' that this "
            "architecture does not have");
}

/// A GGUF file of an architecture nobody knows.
void WriteForeign(const fs::path& path) {
  gguf::Metadata m;
  m.SetString("general.architecture", "foreign");
  m.SetUint16("split.count", 1);
  m.SetUint32("general.file_type", 0);
  m.SetString("foreign.note", "kept");
  const std::vector<gguf::TensorSpec> tensors = {
      {"blk.0.attn_q.weight", {32, 4}, TensorType::kF32},
      {"blk.0.odd.weight", {10, 4}, TensorType::kF32},
      {"blk.0.attn_norm.weight", {32}, TensorType::kF16},
      {"blk.0.ids", {5}, TensorType::kI32},
      {"blk.0.exps.weight", {32, 2, 3}, TensorType::kF32},
      {"blk.0.conv.weight", {2, 2, 2, 2}, TensorType::kF32},
  };
  const Status status =
      gguf::WriteFile(path, m, tensors, [&](std::size_t i, const gguf::ByteSink& sink) {
        std::uint64_t elements = 1;
        for (const std::uint64_t dim : tensors[i].dims) {
          elements *= dim;
        }
        return sink(std::vector<std::byte>(static_cast<std::size_t>(
            *gguf::TensorBytes(tensors[i].type, tensors[i].dims[0], elements))));
      });
  ASSERT_TRUE(status.ok()) << status.message();
}

TEST_F(Conversion, ReEncodesAnyArchitectureInPlace) {
  const fs::path path = folder_ / "foreign.gguf";
  WriteForeign(path);
  const auto summary = Convert({.source = path, .output = path, .type = "Q8_0"});
  ASSERT_TRUE(summary.ok()) << summary.status().message();
  EXPECT_EQ(summary->architecture, "foreign");
  EXPECT_EQ(summary->tensors, 6U);
  EXPECT_EQ(summary->fallbacks, (std::vector<std::string>{"blk.0.odd.weight"}));
  const auto model = gguf::ModelFile::Open(path).value();
  EXPECT_EQ(summary->bytes, model->file_bytes());
  EXPECT_EQ(model->FindTensor("blk.0.attn_q.weight")->type, TensorType::kQ8_0);
  EXPECT_EQ(model->FindTensor("blk.0.odd.weight")->type, TensorType::kF16);
  EXPECT_EQ(model->FindTensor("blk.0.attn_norm.weight")->type, TensorType::kF32);
  EXPECT_EQ(model->FindTensor("blk.0.ids")->type, TensorType::kI32);
  EXPECT_EQ(model->FindTensor("blk.0.exps.weight")->type, TensorType::kQ8_0);
  EXPECT_EQ(model->FindTensor("blk.0.conv.weight")->type, TensorType::kF32);
  EXPECT_EQ(model->GetUint("general.file_type").value(), 7U);
  EXPECT_EQ(model->GetString("foreign.note").value(), "kept");
  EXPECT_FALSE(model->Has("split.count"));
}

TEST_F(Conversion, NamesATensorThatCannotBeDecoded) {
  const fs::path path = folder_ / "q8_k.gguf";
  const std::vector<gguf::TensorSpec> tensors = {{"w.weight", {256, 1}, TensorType::kQ8_K}};
  ASSERT_TRUE(gguf::WriteFile(path, {}, tensors, [](std::size_t, const gguf::ByteSink& sink) {
                return sink(std::vector<std::byte>(292));
              }).ok());
  EXPECT_EQ(ConvertError(path), "tensor 'w.weight' has type Q8_K, which cannot be decoded");
}

TEST_F(Conversion, RefusesUnknownTypesAndPaths) {
  EXPECT_EQ(
      Convert({.source = folder_, .output = folder_ / "o", .type = "q4_k"}).status().message(),
      "cannot write type 'q4_k'; known: f32, f16, bf16, q8_0");
  EXPECT_EQ(Convert({.source = folder_ / "none", .output = folder_ / "o"}).status().code(),
            StatusCode::kNotFound);
  EXPECT_EQ(Convert({.source = folder_, .output = folder_ / "o"}).status().code(),
            StatusCode::kNotFound);
}

TEST(HeadOrder, TilesGroupedValueHeads) {
  const HeadOrder order = {.key_heads = 2, .values_per_key = 3, .unit = 2, .begin = 4};
  std::vector<std::uint64_t> sources;
  for (std::uint64_t i = 0; i < 16; ++i) {
    sources.push_back(order.SourceIndex(i));
  }
  // Heads k0v0 k0v1 k0v2 k1v0 k1v1 k1v2 become k0v0 k1v0 k0v1 k1v1 k0v2 k1v2.
  EXPECT_EQ(sources,
            (std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5, 10, 11, 6, 7, 12, 13, 8, 9, 14, 15}));
}

TEST(SizeLabel, HasTwoDigits) {
  EXPECT_EQ(SizeLabel(447'000), "447K");
  EXPECT_EQ(SizeLabel(4'021'774'336), "4.0B");
  EXPECT_EQ(SizeLabel(752'000'000), "752M");
  EXPECT_EQ(SizeLabel(12'400'000'000), "12B");
}

TEST(ModelName, IsReadable) {
  EXPECT_EQ(ModelName("/x/qwen-a"), "Qwen A");
  EXPECT_EQ(ModelName("/x/models--Qwen--Qwen3.5-4B/snapshots/0123abc"), "Qwen3.5 4B");
  EXPECT_EQ(ModelName("/x/phi-4-mini-instruct/"), "Phi 4 Mini Instruct");
}

TEST(ChooseType, FollowsTheReferenceConverter) {
  const std::vector<std::uint64_t> matrix = {64, 8};
  const std::vector<std::uint64_t> vector = {64};
  EXPECT_EQ(ChooseType("blk.0.attn_q.weight", matrix, TensorType::kQ8_0), TensorType::kQ8_0);
  EXPECT_EQ(ChooseType("blk.0.attn_q.bias", vector, TensorType::kQ8_0), TensorType::kF32);
  EXPECT_EQ(ChooseType("blk.0.ssm_conv1d.weight", matrix, TensorType::kF16), TensorType::kF32);
  EXPECT_EQ(ChooseType("v.position_embd.weight", matrix, TensorType::kF16), TensorType::kF32);
  EXPECT_EQ(ChooseType("position_embd.weight", matrix, TensorType::kF16), TensorType::kF32);
  EXPECT_EQ(ChooseType("my_position_embd.weight", matrix, TensorType::kF16), TensorType::kF16);
  EXPECT_EQ(ChooseType("blk.0.ssm_a", matrix, TensorType::kF16), TensorType::kF32);
}

}  // namespace
}  // namespace tandem::convert
