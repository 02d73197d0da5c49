#include "vision/tower.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "base/format.h"
#include "gguf/model_file.h"
#include "gguf/writer.h"
#include "io/file.h"
#include "quant/formats.h"
#include "vision/decode.h"
#include "vision/limits.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

// tests/data/vision/README.md says what is there.
const fs::path kFolder = fs::path(TANDEM_SOURCE_DIR) / "tests/data/vision";

std::unique_ptr<gguf::ModelFile> OpenTower() {
  return gguf::ModelFile::Open(kFolder / "mmproj.gguf").value();
}

PreparedMedia Prepared() {
  const std::string file = ReadFile(kFolder / "a-96x64.png").value();
  VisionLimits limits;
  EXPECT_TRUE(ReadPreprocessorConfigs(kFolder, limits).ok());
  return PrepareImage(DecodePicture(std::as_bytes(std::span(file)), "a").value(), limits.image, {},
                      "a")
      .value();
}

std::vector<float> Encode(const VisionTower& tower, const PreparedMedia& media,
                          const std::string& isa = "auto", std::size_t threads = 2) {
  const auto ops = MakeCpuOps({.threads = threads,
                               .isa = isa,
                               .max_rows = kTowerRows,
                               .max_cols = tower.widest_input()})
                       .value();
  const std::size_t rows = media.grid.patches() / tower.config().patches_per_token();
  std::vector<float> out(rows * tower.config().out_width);
  EXPECT_TRUE(
      tower.Encode(*ops, media, Mat<float>(out.data(), rows, tower.config().out_width), nullptr)
          .ok());
  return out;
}

std::vector<float> Truth() {
  const std::string bytes = ReadFile(kFolder / "a-96x64.rows.f32").value();
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// Largest difference relative to the largest value.
double ErrorOf(const std::vector<float>& got) {
  const std::vector<float> want = Truth();
  EXPECT_EQ(got.size(), want.size());
  float largest = 0;
  float error = 0;
  for (std::size_t i = 0; i < std::min(got.size(), want.size()); ++i) {
    largest = std::max(largest, std::fabs(want[i]));
    error = std::max(error, std::fabs(got[i] - want[i]));
  }
  return static_cast<double>(error / largest);
}

TEST(Tower, RowsAreTheReferences) {
  const auto file = OpenTower();
  const auto tower = LoadVisionTower(*file).value();
  for (const std::string isa : {"scalar", "auto"}) {
    EXPECT_LE(ErrorOf(Encode(*tower, Prepared(), isa)), 2 * 1.4e-6) << isa;
  }
}

TEST(Tower, ThreadsAndNeighboursDoNotChangeARow) {
  const auto file = OpenTower();
  const auto tower = LoadVisionTower(*file).value();
  const PreparedMedia one = Prepared();
  const std::vector<float> alone = Encode(*tower, one, "auto", 1);
  EXPECT_EQ(Encode(*tower, one, "auto", 3), alone);
  // The same picture as each step of a clip.
  PreparedMedia clip = one;
  clip.video = true;
  clip.grid.t = 3;
  clip.frames.assign(6, one.frames[0]);
  const std::vector<float> rows = Encode(*tower, clip);
  ASSERT_EQ(rows.size(), 3 * alone.size());
  for (std::size_t step = 0; step < 3; ++step) {
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(),
                           rows.begin() + static_cast<std::ptrdiff_t>(step * alone.size())));
  }
}

TEST(Tower, StopsWhenCancelled) {
  const auto file = OpenTower();
  const auto tower = LoadVisionTower(*file).value();
  const auto ops =
      MakeCpuOps({.isa = "auto", .max_rows = kTowerRows, .max_cols = tower->widest_input()})
          .value();
  std::vector<float> out(6 * 64);
  const std::atomic<bool> cancel{true};
  EXPECT_EQ(tower->Encode(*ops, Prepared(), Mat<float>(out.data(), 6, 64), &cancel).code(),
            StatusCode::kCancelled);
}

/// A vision file being changed: its keys, and its tensors as floats.
struct Draft {
  struct Tensor {
    gguf::TensorSpec spec;
    std::vector<float> values;
  };
  gguf::Metadata metadata;
  std::vector<Tensor> tensors;

  explicit Draft(const gguf::File& file) {
    for (const gguf::KeyValue& item : file.metadata()) {
      metadata.SetCopy(item.key, item.value);
    }
    for (const gguf::TensorInfo& info : file.tensors()) {
      Tensor& tensor = tensors.emplace_back();
      tensor.spec.name = info.name;
      tensor.spec.dims.assign(info.dims.begin(), info.dims.begin() + info.dim_count);
      tensor.values.resize(info.elements());
      quant::Decode(*quant::FindFormat(info.type), info.bytes, tensor.values);
    }
  }

  Tensor& Find(std::string_view name) {
    return *std::find_if(tensors.begin(), tensors.end(),
                         [&](const Tensor& t) { return t.spec.name == name; });
  }
  void Remove(std::string_view name) {
    std::erase_if(tensors, [&](const Tensor& t) { return t.spec.name == name; });
  }

  std::vector<std::byte> Write() const {
    std::vector<gguf::TensorSpec> specs;
    for (const Tensor& tensor : tensors) {
      specs.push_back(tensor.spec);
    }
    return gguf::WriteBytes(
               metadata, specs,
               [&](std::size_t i, const gguf::ByteSink& sink) {
                 const quant::Format& format = *quant::FindFormat(specs[i].type);
                 std::vector<std::byte> bytes(format.RowBytes(tensors[i].values.size()));
                 quant::Encode(format, tensors[i].values, bytes);
                 return sink(bytes);
               })
        .value();
  }

  Status LoadStatus() const {
    const std::vector<std::byte> bytes = Write();
    const auto file = gguf::ModelFile::FromBytes(bytes, "draft").value();
    return LoadVisionTower(*file).status();
  }
};

// Names and shapes as in a file that Ollama's converter wrote, with the keys of such a file.
void MakeMerged(Draft& draft) {
  std::vector<Draft::Tensor> split;
  for (Draft::Tensor& tensor : draft.tensors) {
    std::string& name = tensor.spec.name;
    const auto rename = [&name](std::string_view from, std::string_view to) {
      const std::size_t at = name.find(from);
      if (at != std::string::npos) {
        name.replace(at, from.size(), to);
      }
    };
    rename(".ln1", ".norm1");
    rename(".ln2", ".norm2");
    rename(".ffn_up", ".mlp.linear_fc1");
    rename(".ffn_down", ".mlp.linear_fc2");
    rename("v.post_ln", "v.merger.norm");
    rename("mm.0", "v.merger.linear_fc1");
    rename("mm.2", "v.merger.linear_fc2");
    rename("v.position_embd", "v.pos_embed");
    rename("v.patch_embd.bias", "v.patch_embed.bias");
    const std::size_t qkv = name.find("attn_qkv");
    if (qkv == std::string::npos) {
      continue;
    }
    const std::size_t third = tensor.values.size() / 3;
    for (std::size_t i = 0; i < 3; ++i) {
      Draft::Tensor& part = split.emplace_back(tensor);
      part.spec.name.replace(qkv, 8, Format("attn_{}", "qkv"[i]));
      part.spec.dims.back() /= 3;
      const auto begin = tensor.values.begin() + static_cast<std::ptrdiff_t>(i * third);
      part.values.assign(begin, begin + static_cast<std::ptrdiff_t>(third));
    }
  }
  std::erase_if(draft.tensors, [](const Draft::Tensor& t) {
    return t.spec.name.find("attn_qkv") != std::string::npos;
  });
  draft.tensors.insert(draft.tensors.end(), split.begin(), split.end());
  Draft::Tensor whole = draft.Find("v.patch_embd.weight");
  const std::vector<float> second = draft.Find("v.patch_embd.weight.1").values;
  const std::vector<float> first = whole.values;
  whole.spec.name = "v.patch_embed.weight";
  whole.spec.dims = {16, 16, 2, 3 * whole.spec.dims[3]};
  whole.values.clear();
  for (std::size_t at = 0; at < first.size(); at += 256) {
    whole.values.insert(whole.values.end(), &first[at], &first[at] + 256);
    whole.values.insert(whole.values.end(), &second[at], &second[at] + 256);
  }
  draft.Remove("v.patch_embd.weight");
  draft.Remove("v.patch_embd.weight.1");
  draft.tensors.push_back(std::move(whole));
  draft.metadata = {};
  draft.metadata.SetString("general.architecture", "qwen35");
  draft.metadata.SetUint32("qwen35.vision.block_count", 2);
  draft.metadata.SetUint32("qwen35.vision.embedding_length", 48);
  draft.metadata.SetUint32("qwen35.vision.attention.head_count", 4);
  draft.metadata.SetUint32("qwen35.vision.shortest_edge", 1024);
  draft.metadata.SetUint32("qwen35.vision.longest_edge", 4096);
}

TEST(Tower, ReadsTheNamesOfMergedFiles) {
  const auto file = OpenTower();
  Draft draft(*file);
  MakeMerged(draft);
  const std::vector<std::byte> bytes = draft.Write();
  const auto merged = gguf::ModelFile::FromBytes(bytes, "merged").value();
  EXPECT_TRUE(HasVisionTower(*merged));
  const auto tower = LoadVisionTower(*merged);
  ASSERT_TRUE(tower.ok()) << tower.status().message();
  EXPECT_EQ(Encode(**tower, Prepared()), Encode(*LoadVisionTower(*file).value(), Prepared()));
  EXPECT_EQ(ReadVisionLimits(*merged, "").value().image, (PixelRange{1024, 4096}));
}

// A weight rounded to b bits moves a row by about 2^-b, the errors of some hundred weights partly
// cancelling; int8 rounds the inputs of the products too.
TEST(Tower, RunsEveryUsualTypeOfWeights) {
  const auto file = OpenTower();
  for (const auto& [name, bound] :
       {std::pair("f16", 1e-3), std::pair("bf16", 1e-2), std::pair("q8_0", 3e-2)}) {
    Draft draft(*file);
    const quant::Format& format = *quant::FindFormat(name);
    for (Draft::Tensor& tensor : draft.tensors) {
      const bool matrix =
          tensor.spec.dims.size() == 2 && tensor.spec.name != "v.position_embd.weight";
      if (matrix && tensor.spec.dims[0] % format.block_len == 0) {
        tensor.spec.type = format.type;
      }
    }
    const std::vector<std::byte> bytes = draft.Write();
    const auto rounded = gguf::ModelFile::FromBytes(bytes, name).value();
    const double error = ErrorOf(Encode(*LoadVisionTower(*rounded).value(), Prepared()));
    EXPECT_LE(error, bound) << name;
    EXPECT_GT(error, 1e-6) << name;
  }
}

TEST(Tower, RefusesBrokenFiles) {
  const auto file = OpenTower();
  Draft missing(*file);
  missing.Remove("v.blk.1.ffn_up.bias");
  EXPECT_EQ(missing.LoadStatus().message(), "draft: tensor 'v.blk.1.ffn_up.bias' is missing");
  Draft shape(*file);
  shape.Find("mm.0.weight").spec.dims = {96, 384};
  EXPECT_EQ(shape.LoadStatus().code(), StatusCode::kCorrupt);
  Draft heads(*file);
  heads.metadata.SetUint32("clip.vision.attention.head_count", 5);
  EXPECT_EQ(heads.LoadStatus().code(), StatusCode::kCorrupt);
  Draft kind(*file);
  kind.metadata.SetString("clip.projector_type", "mlp");
  EXPECT_EQ(kind.LoadStatus().code(), StatusCode::kUnsupported);
  Draft deep(*file);
  deep.metadata.SetBools("clip.vision.is_deepstack_layers", {false, true});
  EXPECT_EQ(deep.LoadStatus().code(), StatusCode::kUnsupported);
  Draft mean(*file);
  mean.metadata.SetFloat32s("clip.vision.image_mean", std::vector<float>{0.48F, 0.46F, 0.41F});
  EXPECT_EQ(mean.LoadStatus().code(), StatusCode::kUnsupported);
}

TEST(Limits, OwnKeysComeBeforePreprocessorConfigs) {
  const auto file = OpenTower();
  EXPECT_EQ(ReadVisionLimits(*file, "").value(), VisionLimits());
  const VisionLimits beside = ReadVisionLimits(*file, kFolder).value();
  EXPECT_NE(beside.image, VisionLimits().image);
  EXPECT_EQ(beside.video, VisionLimits().video);
  Draft draft(*file);
  draft.metadata.SetUint64("tandem.vision.image_max_pixels", 5000);
  draft.metadata.SetFloat32("tandem.vision.video_fps", 0.5F);
  const std::vector<std::byte> bytes = draft.Write();
  const auto own = gguf::ModelFile::FromBytes(bytes, "own").value();
  const VisionLimits limits = ReadVisionLimits(*own, kFolder).value();
  EXPECT_EQ(limits.image, (PixelRange{beside.image.min, 5000}));
  EXPECT_EQ(limits.fps, 0.5);
  draft.metadata.SetUint64("tandem.vision.image_max_pixels", 0);
  const std::vector<std::byte> zero = draft.Write();
  EXPECT_EQ(ReadVisionLimits(*gguf::ModelFile::FromBytes(zero, "zero").value(), "").status().code(),
            StatusCode::kCorrupt);
}

}  // namespace
}  // namespace tandem
