// The reference's pictures and clips (kind "vision" of the oracle's cases): patches bit for bit,
// ids, positions, rows of the tower, logits and greedy tokens.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "chat/loaded_model.h"
#include "chat/media.h"
#include "chat/prompt.h"
#include "hf/safetensors.h"
#include "io/child_process.h"
#include "io/file.h"
#include "io/json.h"
#include "io/mapped_file.h"
#include "runtime/engine.h"
#include "tests/support/shared_data.h"
#include "vision/decode.h"
#include "vision/patches.h"
#include "vision/video.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

/// A checkpoint that sees, with its cases and the folder of their pictures.
struct Oracle {
  std::unique_ptr<LoadedModel> model;
  Json cases;
  MappedFile mapped;
  std::vector<hf::Tensor> tensors;
  fs::path media;

  const hf::Tensor& Expected(const std::string& name) const {
    return *std::find_if(tensors.begin(), tensors.end(),
                         [&](const hf::Tensor& t) { return t.name == name; });
  }
  std::vector<float> Floats(const std::string& name) const {
    const hf::Tensor& tensor = Expected(name);
    std::vector<float> values(tensor.elements());
    std::memcpy(values.data(), tensor.bytes.data(), values.size() * sizeof(float));
    return values;
  }
};

std::optional<Oracle> Load(const std::string& name) {
  const std::optional<fs::path> folder = SharedData("oracle/" + name);
  if (!folder.has_value()) {
    return std::nullopt;
  }
  Oracle oracle;
  oracle.model = LoadedModel::Load(gguf::ModelFile::Open(*folder / "f32.gguf").value()).value();
  auto mmproj = gguf::ModelFile::Open(*folder / "mmproj.gguf").value();
  const gguf::File& file = *mmproj;
  oracle.model->set_eyes(
      VisionEncoder::Create(file, std::move(mmproj), *folder, {.threads = 2}).value());
  oracle.cases = ReadJsonFile(*folder / "cases.json").value();
  oracle.mapped = MappedFile::Open(*folder / "expected.safetensors").value();
  oracle.tensors = hf::ParseSafetensors(oracle.mapped.bytes(), "expected").value();
  oracle.media = folder->parent_path() / "media";
  return oracle;
}

Conversation ConversationOf(const Oracle& oracle, const Json& item) {
  Json content = Json::array();
  for (const Json& part : item["content"]) {
    if (part.contains("text")) {
      content.push_back({{"type", "text"}, {"text", part["text"]}});
      continue;
    }
    const std::string kind = part.contains("video") ? "video" : "image";
    content.push_back(
        {{"type", kind}, {kind, (oracle.media / part[kind].get<std::string>()).native()}});
  }
  Conversation conversation;
  conversation.messages.push_back({{"role", "user"}, {"content", std::move(content)}});
  return conversation;
}

PreparedMedia Prepare(const VisionEncoder& eyes, const MediaSource& source) {
  if (source.video) {
    return PrepareVideo({.file = source.path}, eyes.limits(), eyes.config().shape, nullptr).value();
  }
  const std::string file = ReadFile(source.path).value();
  return PrepareImage(DecodePicture(std::as_bytes(std::span(file)), source.path).value(),
                      eyes.limits().image, eyes.config().shape, source.path)
      .value();
}

// Patches as the reference has them, back in bytes. Of a still picture it keeps one frame.
void CheckPatches(const Oracle& oracle, const Json& item, const std::vector<MediaSource>& media,
                  bool video) {
  const VisionEncoder& eyes = *oracle.model->eyes();
  const PatchShape& shape = eyes.config().shape;
  const std::size_t plane = shape.patch * shape.patch;
  const std::size_t slots = video ? kFramesPerStep : 1;
  const std::string name = item[video ? "video_patches" : "image_patches"].get<std::string>();
  const std::span<const std::byte> expected = oracle.Expected(name).bytes;
  std::size_t at = 0;
  for (const MediaSource& source : media) {
    if (source.video != video) {
      continue;
    }
    const PreparedMedia prepared = Prepare(eyes, source);
    std::vector<float> rows(prepared.grid.patches() * PatchValues(shape));
    FillPatches(prepared, shape, 0,
                Mat<float>(rows.data(), prepared.grid.patches(), PatchValues(shape)));
    ASSERT_LE(at + prepared.grid.patches() * 3 * slots * plane, expected.size());
    for (std::size_t i = 0; i < prepared.grid.patches() * 3; ++i) {
      for (std::size_t p = 0; p < slots * plane; ++p, ++at) {
        const float value = rows[kFramesPerStep * i * plane + p];
        ASSERT_EQ(std::lround((value * 0.5F + 0.5F) * 255), std::to_integer<long>(expected[at]))
            << item["name"] << " value " << at;
      }
    }
  }
  EXPECT_EQ(at, expected.size());
}

// Largest difference relative to the largest value.
double RelativeError(const std::vector<float>& got, const std::vector<float>& want) {
  EXPECT_EQ(got.size(), want.size());
  float largest = 0;
  float error = 0;
  for (std::size_t i = 0; i < std::min(got.size(), want.size()); ++i) {
    largest = std::max(largest, std::fabs(want[i]));
    error = std::max(error, std::fabs(got[i] - want[i]));
  }
  return static_cast<double>(error / largest);
}

void CheckRows(const Oracle& oracle, const Json& item,
               const std::vector<std::shared_ptr<const EncodedMedia>>& seen) {
  for (const std::string kind : {"image", "video"}) {
    if (!item.contains(kind + "_embeddings")) {
      continue;
    }
    std::vector<float> rows;
    Json grids = Json::array();
    for (const auto& media : seen) {
      if (media->video == (kind == "video")) {
        rows.insert(rows.end(), media->vectors.begin(), media->vectors.end());
        grids.push_back({media->grid.t, media->grid.h, media->grid.w});
      }
    }
    EXPECT_EQ(grids, item[kind + "_grid_thw"]) << item["name"];
    EXPECT_LE(RelativeError(rows, oracle.Floats(item[kind + "_embeddings"].get<std::string>())),
              std::max(2e-6, 2 * item[kind + "_f32_error"].get<double>()))
        << item["name"] << " " << kind;
  }
}

void CheckPositions(const Oracle& oracle, const Json& item, const Prompt& prompt) {
  const hf::Tensor& expected = oracle.Expected(item["positions"].get<std::string>());
  const std::size_t n = prompt.ids.size();
  ASSERT_EQ(expected.elements(), 3 * n) << item["name"];
  const std::size_t width = expected.bytes.size() / (3 * n);  // of a little-endian integer
  std::int32_t next = 0;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    for (std::size_t i = 0; i < n; ++i) {
      std::int32_t want = 0;
      std::memcpy(&want, expected.bytes.data() + (axis * n + i) * width,
                  std::min<std::size_t>(width, 4));
      ASSERT_EQ(prompt.positions[i][axis], want)
          << item["name"] << " axis " << axis << " row " << i;
      next = std::max(next, want + 1);
    }
  }
  EXPECT_EQ(next - static_cast<std::int32_t>(n), item["rope_delta"].get<std::int32_t>());
}

void CheckLogits(const Oracle& oracle, const Json& item, const Prompt& prompt) {
  EngineOptions options;
  options.kv = KvType::kF32;
  options.cpu.threads = 2;
  const auto engine = Engine::Create(oracle.model->network(), options).value();
  Sequence sequence = engine->NewSequence();
  const std::size_t vocabulary = oracle.model->network().info().vocabulary;
  Sampler sampler({.temperature = 0}, vocabulary, {});
  sampler.BanFrom(item["banned_from"].get<TokenId>());
  const std::size_t n = prompt.rows.size();
  const std::vector<float> vectors = GatherVectors(prompt.runs, 0, n);
  Request request;
  request.sequence = &sequence;
  request.prompt = prompt.rows;
  request.positions = prompt.positions;
  request.vectors_TE = Mat<const float>(vectors.data(), n, vectors.size() / n);
  request.sampler = &sampler;
  request.max_tokens = item["greedy"].size();
  std::vector<float> last;
  std::vector<TokenId> argmax;
  for (std::size_t i = 0; i < n; ++i) {
    request.logit_rows.push_back(i);
  }
  request.on_logits = [&](std::size_t row, std::span<const float> logits) {
    argmax.push_back(
        static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    if (row + 4 >= n) {
      last.insert(last.end(), logits.begin(), logits.end());
    }
  };
  std::vector<TokenId> tokens;
  request.on_token = [&tokens](TokenId token) {
    tokens.push_back(token);
    return true;
  };
  ASSERT_TRUE(engine->Run(request).ok());
  EXPECT_LE(RelativeError(last, oracle.Floats(item["logits_last"].get<std::string>())),
            std::max(2e-5, 2 * item["f32_error"].get<double>()))
      << item["name"];
  EXPECT_EQ(argmax, item["argmax"].get<std::vector<TokenId>>()) << item["name"];
  EXPECT_EQ(tokens, item["greedy"].get<std::vector<TokenId>>()) << item["name"];
}

void CheckCase(const Oracle& oracle, const Json& item) {
  Conversation conversation = ConversationOf(oracle, item);
  const std::vector<MediaSource> media = TakeMedia(conversation).value();
  const auto seen = oracle.model->See(media, {});
  ASSERT_TRUE(seen.ok()) << item["name"] << ": " << seen.status().message();
  for (const bool video : {false, true}) {
    if (item.contains(video ? "video_patches" : "image_patches")) {
      CheckPatches(oracle, item, media, video);
    }
  }
  CheckRows(oracle, item, *seen);
  PromptOptions options{.think = ThinkMode::kDefault,
                        .bos_text = oracle.model->text().bos_text(),
                        .eos_text = oracle.model->text().eos_text(),
                        .template_source = oracle.model->template_source(),
                        .media = *seen};
  if (item["options"].contains("enable_thinking")) {
    options.think = item["options"]["enable_thinking"] ? ThinkMode::kOn : ThinkMode::kOff;
  }
  const Result<Prompt> prompt =
      BuildPrompt(*oracle.model->chat_template().value(), oracle.model->tokenizer(),
                  std::move(conversation), options);
  ASSERT_TRUE(prompt.ok()) << item["name"] << ": " << prompt.status().message();
  EXPECT_EQ(prompt->ids, item["ids"].get<std::vector<TokenId>>()) << item["name"];
  CheckPositions(oracle, item, *prompt);
  CheckLogits(oracle, item, *prompt);
}

bool HasClip(const Json& item) {
  return item.contains("video_grid_thw");
}

class VisionOracle : public testing::TestWithParam<std::string> {};

void CheckCases(const std::string& name, bool clips) {
  const std::optional<Oracle> oracle = Load(name);
  if (!oracle.has_value()) {
    GTEST_SKIP() << "shared test data 'oracle/" << name << "' is not here";
  }
  std::size_t checked = 0;
  for (const Json& item : oracle->cases) {
    if (item["kind"] == "vision" && HasClip(item) == clips) {
      CheckCase(*oracle, item);
      ++checked;
    }
  }
  EXPECT_GT(checked, 0U);
}

TEST_P(VisionOracle, PicturesAreTheReferences) {
  CheckCases(GetParam(), false);
}

TEST_P(VisionOracle, ClipsAreTheReferences) {
  if (ChildProcess::Start({"ffmpeg", "-version"}).status().code() == StatusCode::kNotFound) {
    GTEST_SKIP() << "the program ffmpeg is not installed";
  }
  CheckCases(GetParam(), true);
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, VisionOracle, testing::Values("qwen-a", "qwen-b"),
                         [](const auto& param) {
                           std::string name = param.param;
                           name[name.find('-')] = '_';
                           return name;
                         });

}  // namespace
}  // namespace tandem
