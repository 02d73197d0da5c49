#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/format.h"
#include "gguf/model_file.h"
#include "gguf/writer.h"
#include "io/file.h"
#include "quant/formats.h"
#include "quantize/dynamic.h"
#include "quantize/importance.h"
#include "quantize/mix.h"
#include "quantize/plan.h"
#include "quantize/quantizer.h"
#include "quantize/recipe.h"
#include "quantize/source.h"

namespace tandem::quantize {
namespace {

using gguf::TensorType;

struct Shape {
  std::string name;
  std::vector<std::uint64_t> dims;
  TensorType type = TensorType::kF16;
};

/// The tensors of a 32-layer Qwen3.5 of 4B and of Phi-4-mini, as their converters name them.
std::vector<Shape> Qwen4b() {
  std::vector<Shape> shapes = {{"token_embd.weight", {2560, 248320}},
                               {"output_norm.weight", {2560}, TensorType::kF32}};
  for (int layer = 0; layer < 32; ++layer) {
    const std::string prefix = Format("blk.{}.", layer);
    const auto add = [&](const char* name, std::vector<std::uint64_t> dims) {
      shapes.push_back({prefix + name, std::move(dims)});
    };
    shapes.push_back({prefix + "attn_norm.weight", {2560}, TensorType::kF32});
    if (layer % 4 == 3) {
      add("attn_q.weight", {2560, 8192});
      add("attn_k.weight", {2560, 1024});
      add("attn_v.weight", {2560, 1024});
      add("attn_output.weight", {4096, 2560});
    } else {
      add("attn_qkv.weight", {2560, 8192});
      add("attn_gate.weight", {2560, 4096});
      add("ssm_alpha.weight", {2560, 32});
      add("ssm_beta.weight", {2560, 32});
      add("ssm_out.weight", {4096, 2560});
      shapes.push_back({prefix + "ssm_conv1d.weight", {4, 8192}, TensorType::kF32});
    }
    add("ffn_down.weight", {9216, 2560});
    add("ffn_gate.weight", {2560, 9216});
    add("ffn_up.weight", {2560, 9216});
  }
  return shapes;
}
std::vector<Shape> Phi4Mini() {
  std::vector<Shape> shapes = {{"token_embd.weight", {3072, 200064}},
                               {"rope_factors_long.weight", {48}, TensorType::kF32}};
  for (int layer = 0; layer < 32; ++layer) {
    const std::string prefix = Format("blk.{}.", layer);
    shapes.push_back({prefix + "attn_norm.weight", {3072}, TensorType::kF32});
    shapes.push_back({prefix + "attn_output.weight", {3072, 3072}});
    shapes.push_back({prefix + "attn_qkv.weight", {3072, 5120}});
    shapes.push_back({prefix + "ffn_down.weight", {8192, 3072}});
    shapes.push_back({prefix + "ffn_up.weight", {3072, 16384}});
  }
  return shapes;
}

std::map<std::string, TensorType> TypesOf(std::string_view mix, const MixModel& model,
                                          const std::vector<Shape>& shapes) {
  std::vector<MixTensor> tensors;
  for (const Shape& shape : shapes) {
    tensors.push_back({shape.name, shape.dims, shape.type});
  }
  const std::vector<MixChoice> choices = ChooseTypes(FindMix(mix).value(), model, tensors);
  std::map<std::string, TensorType> types;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    types[shapes[i].name] = choices[i].type;
  }
  return types;
}

constexpr MixModel kQwen = {.layers = 32, .heads_per_kv = 4};
constexpr MixModel kPhi = {.layers = 32, .heads_per_kv = 3};

std::vector<int> LayersWith(const std::map<std::string, TensorType>& types, const char* name,
                            TensorType type) {
  std::vector<int> layers;
  for (int layer = 0; layer < 32; ++layer) {
    const auto found = types.find(Format("blk.{}.{}.weight", layer, name));
    if (found != types.end() && found->second == type) {
      layers.push_back(layer);
    }
  }
  return layers;
}

const std::vector<int> kMore = {0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31};

TEST(Mix, Q4_K_M_OfQwenIsThePublishedOne) {
  const auto types = TypesOf("q4_k_m", kQwen, Qwen4b());
  EXPECT_EQ(types.at("token_embd.weight"), TensorType::kQ6_K);
  EXPECT_EQ(LayersWith(types, "ffn_down", TensorType::kQ6_K), kMore);
  EXPECT_EQ(LayersWith(types, "attn_v", TensorType::kQ6_K), (std::vector<int>{3, 15, 27, 31}));
  EXPECT_EQ(LayersWith(types, "attn_v", TensorType::kQ4_K), (std::vector<int>{7, 11, 19, 23}));
  EXPECT_EQ(LayersWith(types, "attn_qkv", TensorType::kQ6_K),
            (std::vector<int>{0, 1, 2, 6, 9, 12, 18, 21, 24, 28, 29, 30}));
  EXPECT_EQ(types.at("blk.0.ssm_beta.weight"), TensorType::kQ4_K);
  EXPECT_EQ(types.at("blk.0.ssm_conv1d.weight"), TensorType::kF32);
  EXPECT_EQ(types.at("output_norm.weight"), TensorType::kF32);
}

TEST(Mix, Q4_K_M_OfPhiIsThePublishedOne) {
  const auto types = TypesOf("Q4_K_M", kPhi, Phi4Mini());
  EXPECT_EQ(LayersWith(types, "ffn_down", TensorType::kQ6_K), kMore);
  EXPECT_EQ(LayersWith(types, "attn_qkv", TensorType::kQ6_K), kMore);
  EXPECT_EQ(LayersWith(types, "attn_output", TensorType::kQ4_K).size(), 32U);
  EXPECT_EQ(types.at("rope_factors_long.weight"), TensorType::kF32);
}

/// Bytes of all matrices, from the tables that `llama-quantize --dry-run` prints (build 10587) for
/// files of these shapes.
struct MixSize {
  const char* mix;
  std::uint64_t qwen;
  std::uint64_t phi;
};
constexpr MixSize kSizes[] = {
    {"Q2_K", 1900656640, 1724703744},   {"Q3_K_S", 2055065600, 1888281600},
    {"Q3_K_M", 2247249920, 2112414720}, {"Q3_K_L", 2406502400, 2303517696},
    {"IQ4_XS", 2514216960, 2231165952}, {"IQ4_NL", 2606417920, 2328683520},
    {"Q4_0", 2529085440, 2316100608},   {"Q4_1", 2752153600, 2517427200},
    {"Q4_K_S", 2549073920, 2336547840}, {"Q4_K_M", 2693990400, 2484790272},
    {"Q5_0", 2975221760, 2718753792},   {"Q5_1", 3198289920, 2920080384},
    {"Q5_K_S", 2975221760, 2718753792}, {"Q5_K_M", 3060172800, 2805654528},
    {"Q6_K", 3449241600, 3146572800},   {"Q8_0", 4467589120, 4075560960},
};

std::uint64_t BytesOf(const char* mix, const MixModel& model, const std::vector<Shape>& shapes) {
  const auto types = TypesOf(mix, model, shapes);
  std::uint64_t bytes = 0;
  for (const Shape& shape : shapes) {
    const TensorType type = types.at(shape.name);
    if (type != TensorType::kF32) {
      bytes += gguf::TensorBytes(type, shape.dims[0], shape.dims[0] * shape.dims[1]).value();
    }
  }
  return bytes;
}

TEST(Mix, AllHaveTheReferencesSizes) {
  for (const MixSize& size : kSizes) {
    EXPECT_EQ(BytesOf(size.mix, kQwen, Qwen4b()), size.qwen) << size.mix;
    EXPECT_EQ(BytesOf(size.mix, kPhi, Phi4Mini()), size.phi) << size.mix;
  }
}

TEST(Mix, AQuantisedTypeOfAnUntiedModelLeavesTheEmbeddingAlone) {
  std::vector<Shape> shapes = Phi4Mini();
  shapes.push_back({"output.weight", {3072, 200064}});
  const auto types = TypesOf("Q4_K_M", kPhi, shapes);
  EXPECT_EQ(types.at("token_embd.weight"), TensorType::kQ4_K);
  EXPECT_EQ(types.at("output.weight"), TensorType::kQ6_K);
}

TEST(Mix, ImportanceChangesWhatTheFirstLayersGet) {
  MixModel model = kPhi;
  EXPECT_EQ(LayersWith(TypesOf("IQ4_XS", model, Phi4Mini()), "ffn_down", TensorType::kQ5_K),
            (std::vector<int>{0, 1, 2, 3}));
  model.has_importance = true;
  EXPECT_TRUE(
      LayersWith(TypesOf("IQ4_XS", model, Phi4Mini()), "ffn_down", TensorType::kQ5_K).empty());
  EXPECT_EQ(LayersWith(TypesOf("Q4_0", model, Phi4Mini()), "ffn_down", TensorType::kQ4_1),
            (std::vector<int>{0, 1, 2, 3}));
}

TEST(Mix, FallsBackToWhatDividesTheRows) {
  EXPECT_EQ(FallbackFor(TensorType::kQ4_K, 2560), TensorType::kQ4_K);
  EXPECT_EQ(FallbackFor(TensorType::kQ4_K, 96), TensorType::kQ5_0);
  EXPECT_EQ(FallbackFor(TensorType::kQ5_K, 96), TensorType::kQ5_1);
  EXPECT_EQ(FallbackFor(TensorType::kQ6_K, 96), TensorType::kQ8_0);
  EXPECT_EQ(FallbackFor(TensorType::kQ2_K, 96), TensorType::kQ4_0);
  EXPECT_EQ(FallbackFor(TensorType::kIQ4_XS, 96), TensorType::kIQ4_NL);
  EXPECT_EQ(FallbackFor(TensorType::kQ4_K, 100), TensorType::kF16);
  EXPECT_EQ(FallbackFor(TensorType::kQ4_0, 100), TensorType::kF16);
}

TEST(Mix, LeavesAVisionTowerInTypesThatTowersAreReadIn) {
  const std::map<std::string, TensorType> text = TypesOf("Q4_K_M", kQwen, Qwen4b());
  std::vector<Shape> shapes = Qwen4b();
  shapes.push_back({"v.blk.0.attn_qkv.weight", {1024, 3072}});
  shapes.push_back({"v.blk.0.ffn_down.weight", {1001, 1024}});
  shapes.push_back({"mm.0.weight", {4096, 4096}, TensorType::kF32});
  shapes.push_back({"v.patch_embd.weight", {16, 16, 3, 1024}, TensorType::kF32});
  std::map<std::string, TensorType> types = TypesOf("Q4_K_M", kQwen, shapes);
  EXPECT_EQ(types["v.blk.0.attn_qkv.weight"], TensorType::kQ8_0);
  EXPECT_EQ(types["v.blk.0.ffn_down.weight"], TensorType::kF16);
  EXPECT_EQ(types["mm.0.weight"], TensorType::kQ8_0);
  EXPECT_EQ(types["v.patch_embd.weight"], TensorType::kF32);
  for (const auto& [name, type] : text) {
    EXPECT_EQ(types[name], type) << name;  // the tower's matrices do not count among the layers'
  }
  EXPECT_EQ(TypesOf("BF16", kQwen, shapes)["mm.0.weight"], TensorType::kBF16);
}
TEST(Mix, IsFoundInAnyCaseAndByItsShortName) {
  EXPECT_EQ(FindMix("q4_k")->name, "Q4_K_M");
  EXPECT_EQ(FindMix("iq4_xs")->file_type, 30U);
  EXPECT_NE(FindMix("Q9").status().message().find("unknown type 'Q9'; known: Q2_K_S"),
            std::string::npos);
}

TEST(Recipe, TakesTheFirstLineThatFits) {
  const Recipe recipe = Recipe::Parse(
                            "# more for the first layers\n"
                            "blk.?.ffn_down.* Q6_K   # one digit\n"
                            "\n"
                            "*.ffn_* q3_k\r\n"
                            "token_embd.weight keep",
                            "r")
                            .value();
  EXPECT_EQ(recipe.Find("blk.3.ffn_down.weight")->type, TensorType::kQ6_K);
  EXPECT_EQ(recipe.Find("blk.13.ffn_down.weight")->type, TensorType::kQ3_K);
  EXPECT_EQ(recipe.Find("token_embd.weight")->type, std::nullopt);
  EXPECT_EQ(recipe.Find("blk.3.attn_q.weight"), nullptr);
}

TEST(Recipe, SaysWhichLineIsWrong) {
  EXPECT_EQ(Recipe::Parse("a Q4_K\nb", "r.txt").status().message(),
            "r.txt:2: 'b' is not PATTERN TYPE");
  EXPECT_NE(Recipe::Parse("a IQ2_XXS", "r").status().message().find("is no type that can be made"),
            std::string::npos);
}

TEST(Recipe, PatternsMatchAsInAShell) {
  EXPECT_TRUE(MatchesPattern("*", ""));
  EXPECT_TRUE(MatchesPattern("a*b*c", "aXbYbZc"));
  EXPECT_TRUE(MatchesPattern("?*", "x"));
  EXPECT_FALSE(MatchesPattern("?*", ""));
  EXPECT_FALSE(MatchesPattern("a*b", "aXbY"));
  EXPECT_FALSE(MatchesPattern("abc", "abcd"));
}

/// A folder of its own for each test.
class QuantizeFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              Format("tandem-quantize-{}-{}", ::getpid(),
                     testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path Path(const char* name) const { return folder_ / name; }

  /// A file of a made-up architecture with seeded normal values.
  std::filesystem::path WriteModel(const char* name, TensorType type, float spoil = 0) {
    gguf::Metadata metadata;
    metadata.SetString("general.architecture", "toy");
    metadata.SetUint32("toy.block_count", 2);
    metadata.SetString("split.kept", "no");
    const std::vector<gguf::TensorSpec> specs = {
        {"token_embd.weight", {256, 32}, type},     {"output_norm.weight", {256}, TensorType::kF32},
        {"blk.0.ffn_down.weight", {512, 70}, type}, {"blk.1.ffn_down.weight", {96, 64}, type},
        {"blk.1.odd.weight", {100, 8}, type},
    };
    std::mt19937 random(5);
    std::normal_distribution<float> normal(0, 0.05F);
    const auto source = [&](std::size_t index, const gguf::ByteSink& sink) {
      std::uint64_t count = 1;
      for (const std::uint64_t dim : specs[index].dims) {
        count *= dim;
      }
      std::vector<float> values(static_cast<std::size_t>(count));
      for (float& value : values) {
        value = normal(random);
      }
      if (spoil != 0 && index == 2) {
        values[3 * 512 + 7] = spoil;
      }
      const quant::Format& format = *quant::FindFormat(specs[index].type);
      std::vector<std::byte> bytes(format.RowBytes(values.size()));
      quant::Encode(format, values, bytes);
      return sink(bytes);
    };
    EXPECT_TRUE(gguf::WriteFile(Path(name), metadata, specs, source).ok());
    return Path(name);
  }

  Result<std::uint64_t> Quantize(const std::filesystem::path& in, const PlanOptions& options,
                                 std::size_t threads = 2) {
    TANDEM_ASSIGN_OR_RETURN(const Source source, Source::Open(in));
    TANDEM_ASSIGN_OR_RETURN(const Plan plan, MakePlan(source, options));
    return WriteQuantized(source, plan, MetadataFor(source, options.mix, plan, options.importance),
                          {.output = Path("out.gguf"), .threads = threads});
  }

 private:
  std::filesystem::path folder_;
};

TEST_F(QuantizeFile, WritesTheTypesOfTheMix) {
  const auto in = WriteModel("in.gguf", TensorType::kF32);
  ASSERT_TRUE(Quantize(in, {.mix = FindMix("Q4_K_M").value()}).ok());
  const auto out = gguf::ModelFile::Open(Path("out.gguf")).value();
  EXPECT_EQ(out->GetUint("general.file_type").value(), 15U);
  EXPECT_FALSE(out->Has("split.kept"));
  EXPECT_EQ(out->FindTensor("token_embd.weight")->type, TensorType::kQ6_K);
  EXPECT_EQ(out->FindTensor("output_norm.weight")->type, TensorType::kF32);
  EXPECT_EQ(out->FindTensor("blk.0.ffn_down.weight")->type, TensorType::kQ4_K);
  EXPECT_EQ(out->FindTensor("blk.1.ffn_down.weight")->type, TensorType::kQ8_0);  // Q6_K: 96 columns
  EXPECT_EQ(out->FindTensor("blk.1.odd.weight")->type, TensorType::kF16);
  const auto original = gguf::ModelFile::Open(in).value();
  const gguf::TensorInfo& a = *original->FindTensor("blk.0.ffn_down.weight");
  const gguf::TensorInfo& b = *out->FindTensor("blk.0.ffn_down.weight");
  std::vector<float> want(512 * 70), got(512 * 70);
  quant::Decode(*quant::FindFormat(a.type), a.bytes, want);
  quant::Decode(*quant::FindFormat(b.type), b.bytes, got);
  double error = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    error += std::pow(static_cast<double>(want[i] - got[i]), 2);
  }
  EXPECT_LT(std::sqrt(error / static_cast<double>(want.size())), 0.075 * 0.05);
}

TEST_F(QuantizeFile, GivesTheSameBytesForAnyNumberOfThreads) {
  const auto in = WriteModel("in.gguf", TensorType::kBF16);
  ASSERT_TRUE(Quantize(in, {.mix = FindMix("Q5_K_S").value()}, 1).ok());
  const std::string one = ReadFile(Path("out.gguf")).value();
  ASSERT_TRUE(Quantize(in, {.mix = FindMix("Q5_K_S").value()}, 5).ok());
  EXPECT_EQ(ReadFile(Path("out.gguf")).value(), one);
}

TEST_F(QuantizeFile, RefusesWhatIsQuantisedAlready) {
  const auto in = WriteModel("in.gguf", TensorType::kF32);
  ASSERT_TRUE(Quantize(in, {.mix = FindMix("Q8_0").value()}).ok());
  std::filesystem::rename(Path("out.gguf"), Path("q8.gguf"));
  const auto refused = Quantize(Path("q8.gguf"), {.mix = FindMix("Q4_K_M").value()});
  EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(refused.status().message().find("is Q8_0 already"), std::string::npos)
      << refused.status().message();
  EXPECT_FALSE(std::filesystem::exists(Path("out.gguf")));
  EXPECT_TRUE(
      Quantize(Path("q8.gguf"), {.mix = FindMix("Q4_K_M").value(), .allow_requantize = true}).ok());
}

TEST_F(QuantizeFile, SaysWhereAValueIsNotFinite) {
  const auto in = WriteModel("in.gguf", TensorType::kF32, INFINITY);
  const auto result = Quantize(in, {.mix = FindMix("Q4_0").value()});
  EXPECT_NE(
      result.status().message().find("tensor 'blk.0.ffn_down.weight' has inf in row 3, column 7"),
      std::string::npos)
      << result.status().message();
  EXPECT_FALSE(std::filesystem::exists(Path("out.gguf")));
}

TEST_F(QuantizeFile, FollowsARecipe) {
  const auto in = WriteModel("in.gguf", TensorType::kF32);
  const Recipe recipe = Recipe::Parse("blk.0.* Q3_K\ntoken_embd.weight keep", "r").value();
  ASSERT_TRUE(Quantize(in, {.mix = FindMix("Q8_0").value(), .recipe = &recipe}).ok());
  const auto out = gguf::ModelFile::Open(Path("out.gguf")).value();
  EXPECT_EQ(out->FindTensor("blk.0.ffn_down.weight")->type, TensorType::kQ3_K);
  EXPECT_EQ(out->FindTensor("token_embd.weight")->type, TensorType::kF32);
  EXPECT_EQ(out->FindTensor("blk.1.ffn_down.weight")->type, TensorType::kQ8_0);

  const Recipe nothing = Recipe::Parse("blk.7.* Q3_K", "r").value();
  EXPECT_EQ(Quantize(in, {.mix = FindMix("Q8_0").value(), .recipe = &nothing}).status().message(),
            "r:1: no tensor is left for 'blk.7.*'");
  const Recipe wide = Recipe::Parse("blk.1.ffn_down.* Q3_K", "r").value();
  EXPECT_EQ(Quantize(in, {.mix = FindMix("Q8_0").value(), .recipe = &wide}).status().message(),
            "r:1: tensor 'blk.1.ffn_down.weight' has rows of 96 values, no multiple of the 256 of "
            "Q3_K");
}

TEST_F(QuantizeFile, LeavesNothingWhenCancelled) {
  const auto in = WriteModel("in.gguf", TensorType::kF32);
  const Source source = Source::Open(in).value();
  const Plan plan = MakePlan(source, {.mix = FindMix("Q4_K_M").value()}).value();
  int calls = 0;
  const auto result = WriteQuantized(
      source, plan, {},
      {.output = Path("out.gguf"), .progress = [&](const auto&) { return ++calls < 4; }});
  EXPECT_EQ(result.status().code(), StatusCode::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(Path("out.gguf")));
}

Importance MadeUp(std::size_t inputs) {
  Importance importance;
  importance.source = "i.gguf";
  importance.datasets = {"text"};
  importance.chunks = 2;
  importance.chunk_tokens = 8;
  Importance::Entry entry;
  for (std::size_t i = 0; i < inputs; ++i) {
    entry.sums.push_back(i % 16 == 0 ? 1600.0F : 16.0F);
  }
  entry.counts = {16};
  importance.entries().emplace("blk.0.ffn_down.weight", entry);
  return importance;
}

TEST_F(QuantizeFile, UsesImportanceAndSaysSo) {
  const auto in = WriteModel("in.gguf", TensorType::kF32);
  const Importance importance = MadeUp(512);
  ASSERT_TRUE(Quantize(in, {.mix = FindMix("Q2_K").value()}).ok());
  const auto plain = gguf::ModelFile::Open(Path("out.gguf")).value();
  const gguf::TensorInfo& before = *plain->FindTensor("blk.0.ffn_down.weight");
  const std::vector<std::byte> bytes(before.bytes.begin(), before.bytes.end());
  ASSERT_TRUE(Quantize(in, {.mix = FindMix("Q2_K").value(), .importance = &importance}).ok());
  const auto weighted = gguf::ModelFile::Open(Path("out.gguf")).value();
  EXPECT_EQ(weighted->GetString("quantize.imatrix.file").value(), "i.gguf");
  EXPECT_EQ(weighted->GetUint("quantize.imatrix.entries_count").value(), 1U);
  const gguf::TensorInfo& after = *weighted->FindTensor("blk.0.ffn_down.weight");
  EXPECT_NE(std::memcmp(bytes.data(), after.bytes.data(), bytes.size()), 0);
}

TEST_F(QuantizeFile, RefusesTheImportanceOfAnotherModel) {
  const auto in = WriteModel("in.gguf", TensorType::kF32);
  const Importance narrow = MadeUp(256);
  const auto refused = Quantize(in, {.mix = FindMix("Q4_K_M").value(), .importance = &narrow});
  EXPECT_EQ(refused.status().message(),
            "i.gguf: entry 'blk.0.ffn_down.weight' has 256 values, but the model's matrix has 512 "
            "inputs: it was made for another model");
  Importance elsewhere;
  elsewhere.source = "i.gguf";
  elsewhere.entries().emplace("blk.99.ffn_up.weight", Importance::Entry{{1, 2}, {1}});
  EXPECT_NE(Quantize(in, {.mix = FindMix("Q4_K_M").value(), .importance = &elsewhere})
                .status()
                .message()
                .find("has no entry for any tensor"),
            std::string::npos);
  EXPECT_NE(Quantize(in, {.mix = FindMix("Q2_K_S").value()})
                .status()
                .message()
                .find("Q2_K_S needs an importance matrix"),
            std::string::npos);
}

TEST_F(QuantizeFile, ImportanceSurvivesItsFile) {
  const Importance importance = MadeUp(512);
  ASSERT_TRUE(importance.Write(Path("i.gguf")).ok());
  const Importance read = Importance::Read(Path("i.gguf")).value();
  EXPECT_EQ(read.chunks, 2U);
  EXPECT_EQ(read.chunk_tokens, 8U);
  EXPECT_EQ(read.datasets, importance.datasets);
  EXPECT_EQ(read.entries().at("blk.0.ffn_down.weight").sums,
            importance.entries().at("blk.0.ffn_down.weight").sums);
  EXPECT_EQ(read.MeansFor("blk.0.ffn_down.weight", 512, 1)->front(), 100.0F);
}

TEST_F(QuantizeFile, ReadsTheOlderImportanceFiles) {
  std::string bytes;
  const auto number = [&](std::int32_t value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  number(1);
  number(9);
  bytes += "blk.0.x.w";
  number(4);  // calls
  number(3);  // values
  for (const float value : {8.0F, 4.0F, 0.0F}) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  ASSERT_TRUE(WriteFileAtomically(Path("short.dat"), bytes.substr(0, bytes.size() - 2)).ok());
  EXPECT_NE(Importance::Read(Path("short.dat")).status().message().find("ends inside"),
            std::string::npos);
  number(7);
  number(4);
  bytes += "text";
  ASSERT_TRUE(WriteFileAtomically(Path("old.dat"), bytes).ok());
  const Importance read = Importance::Read(Path("old.dat")).value();
  EXPECT_EQ(read.chunks, 7U);
  EXPECT_EQ(read.MeansFor("blk.0.x.w", 3, 1).value(), (std::vector<float>{2, 1, 0}));
}

TEST_F(QuantizeFile, RefusesImportanceThatIsNoNumber) {
  Importance importance = MadeUp(512);
  importance.entries().begin()->second.sums[5] = -1;
  ASSERT_TRUE(importance.Write(Path("i.gguf")).ok());
  EXPECT_NE(Importance::Read(Path("i.gguf")).status().message().find("value 5 of"),
            std::string::npos);
  const auto model = WriteModel("in.gguf", TensorType::kF32);
  EXPECT_NE(Importance::Read(model).status().message().find("its general.type is 'model'"),
            std::string::npos);
}

/// Two matrices of one size: the second hurts ten times as much.
std::vector<Sensitivity> TwoMatrices() {
  std::vector<Sensitivity> both(2);
  both[0].tensor = "token_embd.weight";
  both[1].tensor = "blk.0.ffn_down.weight";
  for (Sensitivity& one : both) {
    one.error = {{TensorType::kQ2_K, 16}, {TensorType::kQ4_K, 1}, {TensorType::kQ8_0, 0.01}};
    one.probe = TensorType::kQ2_K;
  }
  both[0].probe_loss = 0.016;
  both[1].probe_loss = 1.6;
  return both;
}

TEST_F(QuantizeFile, SpendsBytesWhereTheyHelpMost) {
  const Source source = Source::Open(WriteModel("in.gguf", TensorType::kF32)).value();
  const Plan plan = MakePlan(source, {.mix = FindMix("Q4_K_M").value()}).value();
  const std::vector<Sensitivity> both = TwoMatrices();
  EXPECT_DOUBLE_EQ(both[1].LossIn(TensorType::kQ4_K), 0.1);
  std::uint64_t rest = 0;
  for (const std::size_t i : {1U, 3U, 4U}) {
    rest += BytesAs(source.tensors()[i].info, plan.tensors[i].type);
  }
  const gguf::TensorInfo& embedding = source.tensors()[0].info;
  const gguf::TensorInfo& down = source.tensors()[2].info;
  const std::uint64_t target =
      rest + BytesAs(embedding, TensorType::kQ2_K) + BytesAs(down, TensorType::kQ4_K) + 7;
  const auto choices = ChooseDynamic(source, plan, both, target).value();
  ASSERT_EQ(choices.size(), 2U);
  EXPECT_EQ(choices[0].type, TensorType::kQ2_K);
  EXPECT_EQ(choices[1].type, TensorType::kQ4_K);
  EXPECT_EQ(ChooseDynamic(source, plan, both, 1000000)->at(0).type, TensorType::kQ8_0);
  EXPECT_NE(ChooseDynamic(source, plan, both, 100).status().message().find("is too small"),
            std::string::npos);
}

TEST_F(QuantizeFile, ReadsSizes) {
  const Source source = Source::Open(WriteModel("in.gguf", TensorType::kF32)).value();
  EXPECT_EQ(ParseTargetSize("2.5GB", source).value(), 2500000000U);
  EXPECT_EQ(ParseTargetSize("1MiB", source).value(), 1048576U);
  const std::uint64_t values = 256 * 32 + 256 + 512 * 70 + 96 * 64 + 100 * 8;
  EXPECT_EQ(ParseTargetSize("4bpw", source).value(), values / 2);
  EXPECT_GT(ParseTargetSize("Q8_0", source).value(), ParseTargetSize("Q4_0", source).value());
  for (const char* bad : {"", "-1GB", "5", "3furlongs", "nan GB", "Q9"}) {
    EXPECT_FALSE(ParseTargetSize(bad, source).ok()) << bad;
  }
}

TEST(Kl, IsZeroForEqualAndRightForTwoPoints) {
  std::vector<float> log_p = {0.0F, std::log(3.0F)};
  LogSoftmaxInPlace(log_p);
  EXPECT_NEAR(log_p[0], std::log(0.25), 1e-6);
  EXPECT_NEAR(KlFromLogits(log_p, std::vector<float>{5.0F, 5.0F + std::log(3.0F)}), 0, 1e-7);
  // p = (1/4, 3/4), q = (1/2, 1/2).
  EXPECT_NEAR(KlFromLogits(log_p, std::vector<float>{2, 2}),
              0.25 * std::log(0.5) + 0.75 * std::log(1.5), 1e-6);
}

}  // namespace
}  // namespace tandem::quantize
