// Vision tower of Qwen3.5 -> architecture "clip", type "mmproj".
// Source: llama.cpp conversion/qwenvl.py (Qwen3VLVisionModel); checked against files that it wrote.

#include <cmath>
#include <string>

#include "base/format.h"
#include "convert/architecture.h"
#include "convert/checkpoint_planner.h"
#include "hf/fields.h"
#include "vision/limits.h"

namespace tandem::convert {
namespace {

constexpr std::uint32_t kFrames = 2;  // that a patch spans

struct VisionDims {
  std::uint32_t layers = 0;
  std::uint32_t width = 0;
  std::uint32_t ff = 0;
  std::uint32_t heads = 0;
  std::uint32_t out_width = 0;
  std::uint32_t positions = 0;
  std::uint32_t patch = 0;
  std::uint32_t merge = 0;
};

Result<std::uint32_t> Count(const Json& object, std::string_view key, const std::string& where) {
  TANDEM_ASSIGN_OR_RETURN(const auto value, hf::UintField(object, key, where));
  if (!value.has_value() || *value == 0 || *value > INT32_MAX) {
    return Status(StatusCode::kCorrupt,
                  Format("{}: '{}' is {}; 1 to 2^31 - 1 is needed", where, key,
                         value.has_value() ? std::to_string(*value) : "missing"));
  }
  return static_cast<std::uint32_t>(*value);
}

Status CheckVariant(const Json& vision, const std::string& where) {
  TANDEM_ASSIGN_OR_RETURN(const auto activation, hf::StringField(vision, "hidden_act", where));
  if (activation.value_or("gelu_pytorch_tanh") != "gelu_pytorch_tanh") {
    return {StatusCode::kUnsupported, Format("{}: 'hidden_act' is '{}', which cannot be converted",
                                             where, Printable(*activation))};
  }
  const Json* deepstack = hf::FindField(vision, "deepstack_visual_indexes");
  if (deepstack != nullptr && !deepstack->empty()) {
    return {
        StatusCode::kUnsupported,
        Format("{}: 'deepstack_visual_indexes' is not empty, which cannot be converted", where)};
  }
  TANDEM_ASSIGN_OR_RETURN(const auto frames, hf::UintField(vision, "temporal_patch_size", where));
  if (frames.value_or(kFrames) != kFrames) {
    return {StatusCode::kUnsupported,
            Format("{}: 'temporal_patch_size' is {}; only {} can be converted", where, *frames,
                   kFrames)};
  }
  return OkStatus();
}

Result<VisionDims> ReadVisionDims(const hf::Config& config) {
  const Json* vision = hf::FindField(config.root(), "vision_config");
  if (vision == nullptr || !vision->is_object()) {
    return Status(StatusCode::kNotFound,
                  Format("{}: has no 'vision_config': this checkpoint cannot see", config.where()));
  }
  const std::string where = Format("{}, vision_config", config.where());
  TANDEM_RETURN_IF_ERROR(CheckVariant(*vision, where));
  VisionDims d;
  TANDEM_ASSIGN_OR_RETURN(d.layers, Count(*vision, "depth", where));
  TANDEM_ASSIGN_OR_RETURN(d.width, Count(*vision, "hidden_size", where));
  TANDEM_ASSIGN_OR_RETURN(d.ff, Count(*vision, "intermediate_size", where));
  TANDEM_ASSIGN_OR_RETURN(d.heads, Count(*vision, "num_heads", where));
  TANDEM_ASSIGN_OR_RETURN(d.out_width, Count(*vision, "out_hidden_size", where));
  TANDEM_ASSIGN_OR_RETURN(d.positions, Count(*vision, "num_position_embeddings", where));
  TANDEM_ASSIGN_OR_RETURN(d.patch, Count(*vision, "patch_size", where));
  TANDEM_ASSIGN_OR_RETURN(d.merge, Count(*vision, "spatial_merge_size", where));
  return d;
}

gguf::Metadata MakeKeys(const VisionDims& d, std::uint32_t file_type) {
  constexpr float kMiddle[] = {0.5F, 0.5F, 0.5F};  // of mean and deviation
  const auto side =
      static_cast<std::uint32_t>(std::lround(std::sqrt(static_cast<double>(d.positions))));
  gguf::Metadata keys;
  keys.SetUint32("general.file_type", file_type);
  keys.SetBool("clip.has_vision_encoder", true);
  keys.SetUint32("clip.vision.projection_dim", d.out_width);
  keys.SetUint32("clip.vision.image_size", side * d.patch);
  keys.SetUint32("clip.vision.patch_size", d.patch);
  keys.SetUint32("clip.vision.embedding_length", d.width);
  keys.SetUint32("clip.vision.feed_forward_length", d.ff);
  keys.SetUint32("clip.vision.block_count", d.layers);
  keys.SetUint32("clip.vision.attention.head_count", d.heads);
  keys.SetFloat32s("clip.vision.image_mean", kMiddle);
  keys.SetFloat32s("clip.vision.image_std", kMiddle);
  keys.SetString("clip.projector_type", "qwen3vl_merger");
  keys.SetBool("clip.use_gelu", true);
  keys.SetUint32("clip.vision.spatial_merge_size", d.merge);
  keys.SetFloat32("clip.vision.attention.layer_norm_epsilon", 1e-6F);
  keys.SetBools("clip.vision.is_deepstack_layers", std::vector<bool>(d.layers, false));
  return keys;
}

/// One layer of weights and biases: names without prefix and ending, rows and columns.
struct Part {
  std::string_view source;
  std::string_view target;
  std::uint64_t rows;
  std::uint64_t cols;  // 0: a norm
};

Status ExpectParts(std::initializer_list<Part> parts, const std::string& source_prefix,
                   const std::string& target_prefix, CheckpointPlanner& planner) {
  for (const Part& part : parts) {
    std::vector<std::uint64_t> shape = {part.rows};
    if (part.cols > 0) {
      shape.push_back(part.cols);
    }
    TANDEM_RETURN_IF_ERROR(
        planner.Expect({.source = Format("{}{}.weight", source_prefix, part.source),
                        .target = Format("{}{}.weight", target_prefix, part.target),
                        .shape = std::move(shape)}));
    TANDEM_RETURN_IF_ERROR(
        planner.Expect({.source = Format("{}{}.bias", source_prefix, part.source),
                        .target = Format("{}{}.bias", target_prefix, part.target),
                        .shape = {part.rows}}));
  }
  return OkStatus();
}

std::string FindPrefix(const hf::Checkpoint& checkpoint) {
  for (std::string prefix : {"model.visual.", "visual."}) {
    if (checkpoint.Find(prefix + "pos_embed.weight") != nullptr) {
      return prefix;
    }
  }
  return "model.visual.";  // the planner then names the missing tensor
}

bool IsOfTheTextModel(std::string_view name) {
  return name.find("visual.") == std::string_view::npos;
}

}  // namespace

Result<ArchitecturePlan> PlanQwen35Vision(const hf::Config& config,
                                          const hf::Checkpoint& checkpoint,
                                          std::uint32_t file_type) {
  TANDEM_ASSIGN_OR_RETURN(const VisionDims d, ReadVisionDims(config));
  const std::string prefix = FindPrefix(checkpoint);
  const std::uint64_t width = d.width;
  const std::uint64_t merged = width * d.merge * d.merge;
  CheckpointPlanner planner(checkpoint);
  for (std::uint32_t i = 0; i < d.layers; ++i) {
    TANDEM_RETURN_IF_ERROR(ExpectParts({{"norm1", "ln1", width, 0},
                                        {"norm2", "ln2", width, 0},
                                        {"attn.qkv", "attn_qkv", 3 * width, width},
                                        {"attn.proj", "attn_out", width, width},
                                        {"mlp.linear_fc1", "ffn_up", d.ff, width},
                                        {"mlp.linear_fc2", "ffn_down", width, d.ff}},
                                       Format("{}blocks.{}.", prefix, i), Format("v.blk.{}.", i),
                                       planner));
  }
  TANDEM_RETURN_IF_ERROR(ExpectParts({{"norm", "v.post_ln", width, 0},
                                      {"linear_fc1", "mm.0", merged, merged},
                                      {"linear_fc2", "mm.2", d.out_width, merged}},
                                     prefix + "merger.", "", planner));
  TANDEM_RETURN_IF_ERROR(planner.Expect({.source = prefix + "pos_embed.weight",
                                         .target = "v.position_embd.weight",
                                         .shape = {d.positions, width}}));
  TANDEM_RETURN_IF_ERROR(planner.Expect({.source = prefix + "patch_embed.proj.bias",
                                         .target = "v.patch_embd.bias",
                                         .shape = {width}}));
  TANDEM_RETURN_IF_ERROR(planner.ExpectSlices(prefix + "patch_embed.proj.weight",
                                              {"v.patch_embd.weight", "v.patch_embd.weight.1"},
                                              {width, 3, kFrames, d.patch, d.patch}, 2));

  ArchitecturePlan plan;
  plan.name = "clip";
  plan.keys = MakeKeys(d, file_type);
  TANDEM_ASSIGN_OR_RETURN(plan.tensors, planner.Finish(&IsOfTheTextModel));
  return plan;
}

Status AddVisionLimits(const std::filesystem::path& folder, gguf::Metadata& metadata) {
  const VisionLimits published;
  VisionLimits limits;
  TANDEM_RETURN_IF_ERROR(ReadPreprocessorConfigs(folder, limits));
  if (limits == published) {
    return OkStatus();  // what a file without these keys means
  }
  metadata.SetUint64("tandem.vision.image_min_pixels", limits.image.min);
  metadata.SetUint64("tandem.vision.image_max_pixels", limits.image.max);
  metadata.SetUint64("tandem.vision.video_min_pixels", limits.video.min);
  metadata.SetUint64("tandem.vision.video_max_pixels", limits.video.max);
  metadata.SetUint64("tandem.vision.video_min_frames", limits.min_frames);
  metadata.SetUint64("tandem.vision.video_max_frames", limits.max_frames);
  metadata.SetFloat32("tandem.vision.video_fps", static_cast<float>(limits.fps));
  return OkStatus();
}

}  // namespace tandem::convert
