// Qwen3.5 text model (hybrid of gated delta rule and gated attention) -> architecture "qwen35".
// Source: llama.cpp conversion/qwen.py (Qwen3NextModel, _LinearAttentionVReorderBase,
// _Qwen35MtpMixin); checked against files that it wrote.

#include <array>
#include <string>

#include "base/format.h"
#include "convert/architecture.h"
#include "convert/checkpoint_planner.h"

namespace tandem::convert {
namespace {

struct Dims {
  std::uint32_t layers = 0;      // of the trunk
  std::uint32_t mtp_layers = 0;  // multi-token prediction blocks behind it
  std::uint32_t width = 0;
  std::uint32_t ff = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t key_heads = 0;  // of the delta rule
  std::uint32_t value_heads = 0;
  std::uint32_t key_dim = 0;
  std::uint32_t value_dim = 0;
  std::uint32_t conv_kernel = 0;
  std::uint32_t context = 0;
  std::uint32_t vocab = 0;
  std::uint32_t interval = 0;   // every interval-th layer is full attention
  std::vector<bool> recurrent;  // per block, prediction blocks included
  bool irregular = false;       // `recurrent` does not follow the interval
};

/// The blocks of multi-token prediction that the checkpoint holds.
std::uint32_t CountMtpLayers(const hf::Checkpoint& checkpoint) {
  std::uint32_t count = 0;
  while (checkpoint.Find(Format("mtp.layers.{}.input_layernorm.weight", count)) != nullptr) {
    ++count;
  }
  return count;
}

Status ReadLayerTypes(const hf::Config& config, Dims& d) {
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t interval,
                          config.GetUintOr("full_attention_interval", 4));
  d.interval = static_cast<std::uint32_t>(interval);
  if (interval == 0 || interval > d.layers) {
    return Status(StatusCode::kCorrupt, Format("{}: 'full_attention_interval' is {} of {} layers",
                                               config.where(), interval, d.layers));
  }
  const Json* types = config.Find("layer_types");
  if (types != nullptr && (!types->is_array() || types->size() != d.layers)) {
    return Status(StatusCode::kCorrupt,
                  Format("{}: 'layer_types' is no list of {} names", config.where(), d.layers));
  }
  for (std::uint32_t i = 0; i < d.layers; ++i) {
    const bool regular = (i + 1) % d.interval != 0;
    bool recurrent = regular;
    if (types != nullptr) {
      const std::string name = (*types)[i].is_string() ? (*types)[i].get<std::string>() : "";
      if (name != "linear_attention" && name != "full_attention") {
        return Status(StatusCode::kUnsupported,
                      Format("{}: layer {} has type '{}'", config.where(), i, Printable(name)));
      }
      recurrent = name == "linear_attention";
    }
    d.irregular = d.irregular || recurrent != regular;
    d.recurrent.push_back(recurrent);
  }
  d.recurrent.resize(d.layers + d.mtp_layers, false);
  return OkStatus();
}

Result<Dims> ReadDims(const hf::Config& config, const hf::Checkpoint& checkpoint) {
  Dims d;
  const std::array<std::pair<std::string_view, std::uint32_t*>, 13> fields = {{
      {"num_hidden_layers", &d.layers},
      {"hidden_size", &d.width},
      {"intermediate_size", &d.ff},
      {"num_attention_heads", &d.heads},
      {"num_key_value_heads", &d.kv_heads},
      {"head_dim", &d.head_dim},
      {"linear_num_key_heads", &d.key_heads},
      {"linear_num_value_heads", &d.value_heads},
      {"linear_key_head_dim", &d.key_dim},
      {"linear_value_head_dim", &d.value_dim},
      {"linear_conv_kernel_dim", &d.conv_kernel},
      {"max_position_embeddings", &d.context},
      {"vocab_size", &d.vocab},
  }};
  for (const auto& [key, target] : fields) {
    TANDEM_ASSIGN_OR_RETURN(*target, RequireCount(config, key));
  }
  if (d.value_heads % d.key_heads != 0) {
    return Status(StatusCode::kCorrupt, Format("{}: {} value heads for {} key heads",
                                               config.where(), d.value_heads, d.key_heads));
  }
  TANDEM_RETURN_IF_ERROR(RequireSilu(config));
  TANDEM_RETURN_IF_ERROR(RequireFlag(config, "attention_bias", false, false));
  TANDEM_RETURN_IF_ERROR(RequireFlag(config, "attn_output_gate", true, true));
  TANDEM_RETURN_IF_ERROR(RequireFlag(config, "mtp_use_dedicated_embeddings", false, false));
  d.mtp_layers = CountMtpLayers(checkpoint);
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t said,
                          config.GetUintOr("mtp_num_hidden_layers", d.mtp_layers));
  // A checkpoint may come without its prediction blocks; but not with some of them.
  if (d.mtp_layers != 0 && said != d.mtp_layers) {
    return Status(StatusCode::kCorrupt,
                  Format("{}: 'mtp_num_hidden_layers' is {}, but the checkpoint has {} such layers",
                         config.where(), said, d.mtp_layers));
  }
  TANDEM_RETURN_IF_ERROR(ReadLayerTypes(config, d));
  return d;
}

Status AddRopeScaling(const hf::Config& config, gguf::Metadata& keys) {
  const hf::RopeConfig& rope = config.rope();
  if (rope.type == "default" || rope.type == "mrope") {
    return OkStatus();
  }
  if ((rope.type != "linear" && rope.type != "yarn") || !rope.factor.has_value()) {
    return Status(StatusCode::kUnsupported,
                  Format("{}: rotary scaling '{}' cannot be converted for this architecture",
                         config.where(), Printable(rope.type)));
  }
  keys.SetString("qwen35.rope.scaling.type", rope.type);
  keys.SetFloat32("qwen35.rope.scaling.factor", static_cast<float>(*rope.factor));
  if (rope.type == "linear") {
    return OkStatus();
  }
  if (!rope.original_max_position_embeddings.has_value()) {
    return Status(StatusCode::kNotFound,
                  Format("{}: has no 'original_max_position_embeddings'", config.where()));
  }
  keys.SetUint32("qwen35.rope.scaling.original_context_length",
                 static_cast<std::uint32_t>(*rope.original_max_position_embeddings));
  for (const auto& [key, value] :
       {std::pair("yarn_ext_factor", rope.extrapolation_factor),
        std::pair("yarn_attn_factor", rope.attention_factor),
        std::pair("yarn_beta_fast", rope.beta_fast), std::pair("yarn_beta_slow", rope.beta_slow)}) {
    if (value.has_value()) {
      keys.SetFloat32(Format("qwen35.rope.scaling.{}", key), static_cast<float>(*value));
    }
  }
  return OkStatus();
}

Result<gguf::Metadata> MakeKeys(const hf::Config& config, const Dims& d, std::uint32_t file_type) {
  const hf::RopeConfig& rope = config.rope();
  if (!rope.theta.has_value()) {
    return Status(StatusCode::kNotFound, Format("{}: has no 'rope_theta'", config.where()));
  }
  TANDEM_ASSIGN_OR_RETURN(const double eps, config.GetNumber("rms_norm_eps"));
  gguf::Metadata keys;
  keys.SetUint32("qwen35.block_count", d.layers + d.mtp_layers);
  keys.SetUint32("qwen35.context_length", d.context);
  keys.SetUint32("qwen35.embedding_length", d.width);
  keys.SetUint32("qwen35.feed_forward_length", d.ff);
  keys.SetUint32("qwen35.attention.head_count", d.heads);
  keys.SetUint32("qwen35.attention.head_count_kv", d.kv_heads);
  TANDEM_RETURN_IF_ERROR(AddRopeScaling(config, keys));
  // Time, height, width and an unused fourth; the family's published split where none is given.
  std::array<std::int32_t, 4> sections = {11, 11, 10, 0};
  if (!rope.mrope_section.empty()) {
    sections = {};
    for (std::size_t i = 0; i < sections.size() && i < rope.mrope_section.size(); ++i) {
      sections[i] = static_cast<std::int32_t>(rope.mrope_section[i]);
    }
  }
  keys.SetInt32s("qwen35.rope.dimension_sections", sections);
  keys.SetFloat32("qwen35.rope.freq_base", static_cast<float>(*rope.theta));
  keys.SetFloat32("qwen35.attention.layer_norm_rms_epsilon", static_cast<float>(eps));
  keys.SetUint32("qwen35.attention.key_length", d.head_dim);
  keys.SetUint32("qwen35.attention.value_length", d.head_dim);
  keys.SetUint32("general.file_type", file_type);
  if (d.mtp_layers > 0) {
    keys.SetUint32("qwen35.nextn_predict_layers", d.mtp_layers);
  }
  keys.SetUint32("qwen35.ssm.conv_kernel", d.conv_kernel);
  keys.SetUint32("qwen35.ssm.state_size", d.key_dim);
  keys.SetUint32("qwen35.ssm.group_count", d.key_heads);
  keys.SetUint32("qwen35.ssm.time_step_rank", d.value_heads);
  keys.SetUint32("qwen35.ssm.inner_size", d.value_heads * d.value_dim);
  keys.SetUint32("qwen35.full_attention_interval", d.interval);
  if (d.irregular) {
    keys.SetBools("qwen35.attention.recurrent_layers", d.recurrent);
  }
  keys.SetUint32(
      "qwen35.rope.dimension_count",
      static_cast<std::uint32_t>(d.head_dim * rope.partial_rotary_factor.value_or(0.25)));
  return keys;
}

/// One row of the tables below: names without the layer's prefix.
struct LayerTensor {
  std::string source;
  std::string target;
  std::vector<std::uint64_t> shape;
  ValueOp op = ValueOp::kNone;
  HeadOrder row_order = {};
  HeadOrder column_order = {};
};

std::vector<LayerTensor> SharedTensors(const Dims& d) {
  return {
      {"input_layernorm.weight", "attn_norm.weight", {d.width}, ValueOp::kAddOne},
      {"post_attention_layernorm.weight",
       "post_attention_norm.weight",
       {d.width},
       ValueOp::kAddOne},
      {"mlp.gate_proj.weight", "ffn_gate.weight", {d.ff, d.width}},
      {"mlp.up_proj.weight", "ffn_up.weight", {d.ff, d.width}},
      {"mlp.down_proj.weight", "ffn_down.weight", {d.width, d.ff}},
  };
}

std::vector<LayerTensor> AttentionTensors(const Dims& d) {
  const std::uint64_t q = std::uint64_t{d.heads} * d.head_dim;
  const std::uint64_t kv = std::uint64_t{d.kv_heads} * d.head_dim;
  return {
      // Query and gate of each head, one after the other.
      {"self_attn.q_proj.weight", "attn_q.weight", {2 * q, d.width}},
      {"self_attn.k_proj.weight", "attn_k.weight", {kv, d.width}},
      {"self_attn.v_proj.weight", "attn_v.weight", {kv, d.width}},
      {"self_attn.o_proj.weight", "attn_output.weight", {d.width, q}},
      {"self_attn.q_norm.weight", "attn_q_norm.weight", {d.head_dim}, ValueOp::kAddOne},
      {"self_attn.k_norm.weight", "attn_k_norm.weight", {d.head_dim}, ValueOp::kAddOne},
  };
}

std::vector<LayerTensor> DeltaTensors(const Dims& d) {
  const std::uint64_t keys = std::uint64_t{d.key_heads} * d.key_dim;
  const std::uint64_t values = std::uint64_t{d.value_heads} * d.value_dim;
  const auto order = [&](std::uint64_t unit, std::uint64_t begin) {
    return HeadOrder{.key_heads = d.key_heads,
                     .values_per_key = d.value_heads / d.key_heads,
                     .unit = unit,
                     .begin = begin};
  };
  const HeadOrder by_head = order(1, 0);
  const HeadOrder by_value = order(d.value_dim, 0);
  const HeadOrder after_keys = order(d.value_dim, 2 * keys);  // q and k stay where they are
  constexpr auto kSame = ValueOp::kNone;
  const std::string p = "linear_attn.";
  return {
      {p + "in_proj_qkv.weight",
       "attn_qkv.weight",
       {2 * keys + values, d.width},
       kSame,
       after_keys},
      {p + "in_proj_z.weight", "attn_gate.weight", {values, d.width}, kSame, by_value},
      {p + "in_proj_b.weight", "ssm_beta.weight", {d.value_heads, d.width}, kSame, by_head},
      {p + "in_proj_a.weight", "ssm_alpha.weight", {d.value_heads, d.width}, kSame, by_head},
      {p + "conv1d.weight",
       "ssm_conv1d.weight",
       {2 * keys + values, 1, d.conv_kernel},
       kSame,
       after_keys},
      {p + "dt_bias", "ssm_dt.bias", {d.value_heads}, kSame, {}, by_head},
      {p + "A_log", "ssm_a", {d.value_heads}, ValueOp::kNegExponential, {}, by_head},
      {p + "norm.weight", "ssm_norm.weight", {d.value_dim}},
      {p + "out_proj.weight", "ssm_out.weight", {d.width, values}, kSame, {}, by_value},
  };
}

Status ExpectAll(std::vector<LayerTensor> tensors, const std::string& prefix, std::uint32_t block,
                 CheckpointPlanner& planner) {
  for (LayerTensor& tensor : tensors) {
    TANDEM_RETURN_IF_ERROR(planner.Expect({.source = prefix + tensor.source,
                                           .target = Format("blk.{}.{}", block, tensor.target),
                                           .shape = std::move(tensor.shape),
                                           .op = tensor.op,
                                           .row_order = tensor.row_order,
                                           .column_order = tensor.column_order}));
  }
  return OkStatus();
}

Status ExpectMtp(const Dims& d, CheckpointPlanner& planner) {
  if (d.mtp_layers == 0) {
    return OkStatus();
  }
  for (std::uint32_t i = 0; i < d.mtp_layers; ++i) {
    const std::string prefix = Format("mtp.layers.{}.", i);
    TANDEM_RETURN_IF_ERROR(ExpectAll(SharedTensors(d), prefix, d.layers + i, planner));
    TANDEM_RETURN_IF_ERROR(ExpectAll(AttentionTensors(d), prefix, d.layers + i, planner));
  }
  const std::uint64_t width = d.width;
  return ExpectAll(
      {
          {"fc.weight", "nextn.eh_proj.weight", {width, 2 * width}},
          {"norm.weight", "nextn.shared_head_norm.weight", {width}, ValueOp::kAddOne},
          {"pre_fc_norm_embedding.weight", "nextn.enorm.weight", {width}, ValueOp::kAddOne},
          {"pre_fc_norm_hidden.weight", "nextn.hnorm.weight", {width}, ValueOp::kAddOne},
      },
      "mtp.", d.layers, planner);
}

/// The prefix of the text model's tensors, which depends on the class that wrote the checkpoint.
std::string FindPrefix(const hf::Checkpoint& checkpoint) {
  for (std::string prefix : {"model.language_model.", "language_model.model.", "model."}) {
    if (checkpoint.Find(prefix + "embed_tokens.weight") != nullptr) {
      return prefix;
    }
  }
  return "model.";  // the planner then names the missing tensor
}

/// The vision tower is converted on its own; a tied head is the embedding once more.
bool Ignored(std::string_view name) {
  return name.find("visual.") != std::string_view::npos || name == "lm_head.weight";
}

}  // namespace

Result<ArchitecturePlan> PlanQwen35(const hf::Config& config, const hf::Checkpoint& checkpoint,
                                    std::uint32_t file_type) {
  TANDEM_ASSIGN_OR_RETURN(const Dims d, ReadDims(config, checkpoint));
  TANDEM_ASSIGN_OR_RETURN(const bool tied, IsTied(config, checkpoint));
  const std::string prefix = FindPrefix(checkpoint);
  CheckpointPlanner planner(checkpoint);
  TANDEM_RETURN_IF_ERROR(planner.Expect({.source = prefix + "embed_tokens.weight",
                                         .target = "token_embd.weight",
                                         .shape = {d.vocab, d.width}}));
  TANDEM_RETURN_IF_ERROR(planner.Expect({.source = prefix + "norm.weight",
                                         .target = "output_norm.weight",
                                         .shape = {d.width},
                                         .op = ValueOp::kAddOne}));
  if (!tied) {
    TANDEM_RETURN_IF_ERROR(planner.Expect(
        {.source = "lm_head.weight", .target = "output.weight", .shape = {d.vocab, d.width}}));
  }
  for (std::uint32_t i = 0; i < d.layers; ++i) {
    const std::string layer = Format("{}layers.{}.", prefix, i);
    TANDEM_RETURN_IF_ERROR(ExpectAll(SharedTensors(d), layer, i, planner));
    TANDEM_RETURN_IF_ERROR(
        ExpectAll(d.recurrent[i] ? DeltaTensors(d) : AttentionTensors(d), layer, i, planner));
  }
  TANDEM_RETURN_IF_ERROR(ExpectMtp(d, planner));

  ArchitecturePlan plan;
  plan.name = "qwen35";
  TANDEM_ASSIGN_OR_RETURN(plan.keys, MakeKeys(config, d, file_type));
  TANDEM_ASSIGN_OR_RETURN(plan.tensors, planner.Finish(&Ignored));
  return plan;
}

}  // namespace tandem::convert
