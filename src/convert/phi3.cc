// Phi-3 architecture, as Phi-4-mini uses it -> architecture "phi3".
// Source: llama.cpp conversion/phi.py (Phi3MiniModel); checked against files that it wrote.

#include <cmath>
#include <string>

#include "base/format.h"
#include "convert/architecture.h"
#include "convert/checkpoint_planner.h"

namespace tandem::convert {
namespace {

// Phi3Config's default in transformers, for checkpoints that do not say it.
constexpr std::uint64_t kDefaultOriginalContext = 4096;

struct Dims {
  std::uint32_t layers = 0;
  std::uint32_t width = 0;
  std::uint32_t ff = 0;
  std::uint32_t heads = 1;
  std::uint32_t kv_heads = 1;
  std::uint32_t head_dim = 0;
  std::uint32_t context = 0;
  std::uint32_t original_context = 0;
  std::uint32_t vocab = 0;
  std::uint32_t rotary_dims = 0;
};

Result<Dims> ReadDims(const hf::Config& config) {
  Dims d;
  for (const auto& [key, target] :
       {std::pair("num_hidden_layers", &d.layers), std::pair("hidden_size", &d.width),
        std::pair("intermediate_size", &d.ff), std::pair("num_attention_heads", &d.heads),
        std::pair("num_key_value_heads", &d.kv_heads),
        std::pair("max_position_embeddings", &d.context), std::pair("vocab_size", &d.vocab)}) {
    TANDEM_ASSIGN_OR_RETURN(*target, RequireCount(config, key));
  }
  d.head_dim = d.width / d.heads;
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t head_dim, config.GetUintOr("head_dim", d.head_dim));
  if (d.width % d.heads != 0 || d.heads % d.kv_heads != 0 || head_dim != d.head_dim) {
    return Status(StatusCode::kUnsupported,
                  Format("{}: {} heads of {} ({} for keys and values) do not divide a width of {}",
                         config.where(), d.heads, head_dim, d.kv_heads, d.width));
  }
  d.original_context = static_cast<std::uint32_t>(
      config.rope().original_max_position_embeddings.value_or(kDefaultOriginalContext));
  const double part = config.rope().partial_rotary_factor.value_or(1.0);
  d.rotary_dims = static_cast<std::uint32_t>(part * d.width) / d.heads;
  TANDEM_RETURN_IF_ERROR(RequireSilu(config));
  TANDEM_RETURN_IF_ERROR(RequireFlag(config, "attention_bias", false, false));
  return d;
}

PlannedTensor FactorTensor(std::string name, const std::vector<double>& factors) {
  PlannedTensor tensor;
  tensor.name = std::move(name);
  tensor.dims = {factors.size()};
  tensor.read_row = [factors](std::uint64_t, std::span<float> out) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<float>(factors[i]);
    }
  };
  return tensor;
}

/// The tables of LongRoPE and the scale of its rotated parts, arXiv:2402.13753 as in the
/// checkpoint's reference code (transformers modeling_rope_utils._compute_longrope_parameters).
Status AddLongRope(const hf::Config& config, const Dims& d, ArchitecturePlan& plan) {
  const hf::RopeConfig& rope = config.rope();
  if (rope.type == "default") {
    return OkStatus();
  }
  if (rope.type != "longrope" && rope.type != "su") {
    return Status(StatusCode::kUnsupported,
                  Format("{}: rotary scaling '{}' cannot be converted for this architecture",
                         config.where(), Printable(rope.type)));
  }
  const std::size_t pairs = d.rotary_dims / 2;
  if (rope.long_factor.size() != pairs || rope.short_factor.size() != pairs) {
    return Status(StatusCode::kCorrupt,
                  Format("{}: {} long and {} short rotary factors; {} rotated dimensions need {}",
                         config.where(), rope.long_factor.size(), rope.short_factor.size(),
                         d.rotary_dims, pairs));
  }
  const double scale = static_cast<double>(d.context) / d.original_context;
  const double attention =
      scale > 1 ? std::sqrt(1 + std::log(scale) / std::log(d.original_context)) : 1;
  plan.leading_keys.SetFloat32("phi3.rope.scaling.attn_factor", static_cast<float>(attention));
  plan.tensors.push_back(FactorTensor("rope_factors_long.weight", rope.long_factor));
  plan.tensors.push_back(FactorTensor("rope_factors_short.weight", rope.short_factor));
  return OkStatus();
}

Result<gguf::Metadata> MakeKeys(const hf::Config& config, const Dims& d, std::uint32_t file_type) {
  if (!config.rope().theta.has_value()) {
    return Status(StatusCode::kNotFound, Format("{}: has no 'rope_theta'", config.where()));
  }
  TANDEM_ASSIGN_OR_RETURN(const double eps, config.GetNumber("rms_norm_eps"));
  // Zero stands for none; Phi-4-mini's is larger than its context and never acts.
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t window, config.GetUintOr("sliding_window", 0));
  gguf::Metadata keys;
  keys.SetUint32("phi3.context_length", d.context);
  keys.SetUint32("phi3.rope.scaling.original_context_length", d.original_context);
  keys.SetUint32("phi3.embedding_length", d.width);
  keys.SetUint32("phi3.feed_forward_length", d.ff);
  keys.SetUint32("phi3.block_count", d.layers);
  keys.SetUint32("phi3.attention.head_count", d.heads);
  keys.SetUint32("phi3.attention.head_count_kv", d.kv_heads);
  keys.SetFloat32("phi3.attention.layer_norm_rms_epsilon", static_cast<float>(eps));
  keys.SetUint32("phi3.rope.dimension_count", d.rotary_dims);
  keys.SetFloat32("phi3.rope.freq_base", static_cast<float>(*config.rope().theta));
  keys.SetUint32("general.file_type", file_type);
  keys.SetUint32("phi3.attention.sliding_window", static_cast<std::uint32_t>(window));
  return keys;
}

Status ExpectLayer(const Dims& d, std::uint32_t layer, CheckpointPlanner& planner) {
  const std::string from = Format("model.layers.{}.", layer);
  const std::string to = Format("blk.{}.", layer);
  const std::uint64_t width = d.width;
  const std::uint64_t qkv = std::uint64_t{d.head_dim} * (d.heads + 2 * std::uint64_t{d.kv_heads});
  const std::vector<ExpectedTensor> tensors = {
      {from + "input_layernorm.weight", to + "attn_norm.weight", {width}},
      {from + "self_attn.qkv_proj.weight", to + "attn_qkv.weight", {qkv, width}},
      {from + "self_attn.o_proj.weight", to + "attn_output.weight", {width, width}},
      {from + "post_attention_layernorm.weight", to + "ffn_norm.weight", {width}},
      // Gate rows, then up rows, in one tensor.
      {from + "mlp.gate_up_proj.weight", to + "ffn_up.weight", {2 * std::uint64_t{d.ff}, width}},
      {from + "mlp.down_proj.weight", to + "ffn_down.weight", {width, d.ff}},
  };
  for (const ExpectedTensor& tensor : tensors) {
    TANDEM_RETURN_IF_ERROR(planner.Expect(tensor));
  }
  return OkStatus();
}

/// A tied head is the embedding once more; old checkpoints carry the rotary frequencies.
bool Ignored(std::string_view name) {
  return name == "lm_head.weight" || name.ends_with(".rotary_emb.inv_freq");
}

}  // namespace

Result<ArchitecturePlan> PlanPhi3(const hf::Config& config, const hf::Checkpoint& checkpoint,
                                  std::uint32_t file_type) {
  TANDEM_ASSIGN_OR_RETURN(const Dims d, ReadDims(config));
  TANDEM_ASSIGN_OR_RETURN(const bool tied, IsTied(config, checkpoint));
  CheckpointPlanner planner(checkpoint);
  TANDEM_RETURN_IF_ERROR(planner.Expect({.source = "model.embed_tokens.weight",
                                         .target = "token_embd.weight",
                                         .shape = {d.vocab, d.width}}));
  TANDEM_RETURN_IF_ERROR(planner.Expect(
      {.source = "model.norm.weight", .target = "output_norm.weight", .shape = {d.width}}));
  if (!tied) {
    TANDEM_RETURN_IF_ERROR(planner.Expect(
        {.source = "lm_head.weight", .target = "output.weight", .shape = {d.vocab, d.width}}));
  }
  for (std::uint32_t i = 0; i < d.layers; ++i) {
    TANDEM_RETURN_IF_ERROR(ExpectLayer(d, i, planner));
  }
  ArchitecturePlan plan;
  plan.name = "phi3";
  TANDEM_RETURN_IF_ERROR(AddLongRope(config, d, plan));
  TANDEM_ASSIGN_OR_RETURN(plan.keys, MakeKeys(config, d, file_type));
  TANDEM_ASSIGN_OR_RETURN(std::vector<PlannedTensor> tensors, planner.Finish(&Ignored));
  for (PlannedTensor& tensor : tensors) {
    plan.tensors.push_back(std::move(tensor));
  }
  return plan;
}

}  // namespace tandem::convert
