// Qwen3.5 dense: three Gated DeltaNet layers for each gated-attention layer, SwiGLU feed-forward,
// partial interleaved multimodal rotary embedding. Papers: arXiv:2412.06464 (Gated DeltaNet),
// arXiv:2505.06708 (gated attention), arXiv:2409.12191 (M-RoPE). Reference code: transformers,
// models/qwen3_5/modeling_qwen3_5.py; docs/models/qwen3_5.md maps lines to formulas.
//
// Dimension key: T rows of this step, R rows that need logits, E model width, F feed-forward width,
// V vocabulary, Q query width (heads x D), K key width (key-value heads x D), C convolution
// channels, H value heads of a recurrent layer, U value width of a recurrent layer, N rotary
// frequencies.

#include "model/qwen3_5.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/format.h"
#include "model/rope.h"
#include "model/step_rows.h"
#include "model/weights.h"

namespace tandem {
namespace {

struct Config {
  std::size_t layers =
      0;  // of the trunk: multi-token-prediction blocks come after them and are not run
  std::size_t width = 0;
  std::size_t ffn = 0;
  std::size_t vocabulary = 0;
  std::size_t context = 0;
  float eps = 0;
  // Gated attention.
  std::size_t heads = 0;
  std::size_t kv_heads = 0;
  std::size_t head_dim = 0;
  std::size_t rotary_dims = 0;
  std::array<std::size_t, 3> rotary_sections = {};  // frequencies that turn with t, h, w
  double rope_base = 0;
  // Gated DeltaNet.
  std::size_t key_heads = 0;
  std::size_t value_heads = 0;
  std::size_t state_dim = 0;  // width of a key head and of a value head
  std::vector<bool> recurrent;

  std::size_t value_width() const { return value_heads * state_dim; }
  std::size_t channels() const { return 2 * key_heads * state_dim + value_width(); }
  std::size_t state_floats() const { return value_heads * state_dim * state_dim; }
  // State of one recurrent layer: the delta rule's, then three rows of the convolution.
  std::size_t layer_floats() const { return state_floats() + 3 * channels(); }
};

struct AttentionWeights {
  QMat q_gate_XE;  // head j: rows [2 D j, 2 D j + D) query, the next D its gate
  QMat k_KE;
  QMat v_KE;
  QMat out_EQ;
  std::span<const float> q_gain_D;
  std::span<const float> k_gain_D;
};

struct DeltaWeights {
  QMat qkv_CE;
  QMat z_UE;
  QMat beta_HE;
  QMat alpha_HE;
  Mat<const float> conv_C4;
  std::span<const float> a_H;  // -exp(A_log)
  std::span<const float> dt_H;
  std::span<const float> gain_D;
  QMat out_EU;
};

struct Layer {
  bool recurrent = false;
  std::size_t slot = 0;  // among the layers of its kind
  std::span<const float> mix_gain_E;
  AttentionWeights attention;
  DeltaWeights delta;
  std::span<const float> ffn_gain_E;
  QMat gate_FE;
  QMat up_FE;
  QMat down_EF;
};

struct Weights {
  QMat embed_VE;
  std::span<const float> out_gain_E;
  QMat head_VE;
  std::vector<Layer> layers;
  std::vector<AlignedBuffer<float>> owned;
};

std::size_t WideFloats(const Config& c) {
  const std::size_t attention = (3 * c.heads + 2 * c.kv_heads) * c.head_dim;
  const std::size_t delta = 2 * c.channels() + 2 * c.value_width() + 2 * c.value_heads;
  return std::max({attention, delta, 2 * c.ffn});
}

struct Scratch final : StepScratch {
  Scratch(const Config& c, std::size_t max_rows)
      : rows(max_rows),
        x(max_rows * c.width),
        n(max_rows * c.width),
        mix(max_rows * c.width),
        wide(max_rows * WideFloats(c)),
        cosines(max_rows * c.rotary_dims / 2),
        sines(max_rows * c.rotary_dims / 2) {
    conv.reserve(max_rows);
    delta.reserve(max_rows);
    conv_snapshots.reserve(max_rows);
    delta_snapshots.reserve(max_rows);
  }

  StepRows rows;
  AlignedBuffer<float> x;
  AlignedBuffer<float> n;
  AlignedBuffer<float> mix;
  AlignedBuffer<float> wide;  // a mixer's intermediate rows, then gate and up
  AlignedBuffer<float> cosines;
  AlignedBuffer<float> sines;
  std::vector<ConvSegment> conv;
  std::vector<DeltaSegment> delta;
  std::vector<float*> conv_snapshots;  // one per row of the step
  std::vector<float*> delta_snapshots;
};

Status CheckConfig(const gguf::File& file, const Config& c) {
  const bool sound = c.layers > 0 && c.heads > 0 && c.kv_heads > 0 && c.heads % c.kv_heads == 0 &&
                     c.head_dim > 0 && c.key_heads > 0 && c.value_heads % c.key_heads == 0 &&
                     c.value_heads > 0 && c.state_dim > 0 && c.rotary_dims > 0 &&
                     c.rotary_dims % 2 == 0 && c.rotary_dims <= c.head_dim;
  if (!sound) {
    return {StatusCode::kCorrupt, Format("{}: {} layers, {}/{} heads of {}, {}/{} key and value "
                                         "heads of {}, {} rotary dimensions do not fit "
                                         "together",
                                         file.name(), c.layers, c.heads, c.kv_heads, c.head_dim,
                                         c.key_heads, c.value_heads, c.state_dim, c.rotary_dims)};
  }
  return OkStatus();
}

// One number, or (merged files of another program) one per layer with zeros on the recurrent ones.
Result<std::size_t> ReadKvHeads(const gguf::File& file) {
  if (file.GetUint("qwen35.attention.head_count_kv").ok()) {
    return GetSize(file, "qwen35.attention.head_count_kv");
  }
  TANDEM_ASSIGN_OR_RETURN(const std::vector<std::int64_t> each,
                          file.GetIntArray("qwen35.attention.head_count_kv"));
  const std::int64_t most = each.empty() ? 0 : *std::max_element(each.begin(), each.end());
  if (most < 0 || static_cast<std::uint64_t>(most) > kMaxModelSize) {
    return Status(StatusCode::kCorrupt,
                  Format("{}: key 'qwen35.attention.head_count_kv' has {}; 0 to {} is possible",
                         file.name(), most, kMaxModelSize));
  }
  return static_cast<std::size_t>(most);
}

Status ReadRotary(const gguf::File& file, Config& c) {
  TANDEM_ASSIGN_OR_RETURN(const float base, file.GetFloat("qwen35.rope.freq_base"));
  c.rope_base = static_cast<double>(base);
  TANDEM_ASSIGN_OR_RETURN(c.rotary_dims, GetSize(file, "qwen35.rope.dimension_count"));
  TANDEM_ASSIGN_OR_RETURN(const std::vector<std::int64_t> sections,
                          file.GetIntArray("qwen35.rope.dimension_sections"));
  if (sections.size() < 3 || sections[0] < 0 || sections[1] < 0 || sections[2] < 0) {
    return {StatusCode::kCorrupt,
            Format("{}: qwen35.rope.dimension_sections needs three numbers", file.name())};
  }
  for (std::size_t i = 0; i < 3; ++i) {
    // A section longer than all frequencies says no more than one as long.
    c.rotary_sections[i] = std::min(static_cast<std::size_t>(sections[i]), c.rotary_dims);
  }
  return OkStatus();
}

Status ReadLayerKinds(const gguf::File& file, Config& c) {
  if (file.Has("qwen35.attention.recurrent_layers")) {
    TANDEM_ASSIGN_OR_RETURN(c.recurrent, file.GetBoolArray("qwen35.attention.recurrent_layers"));
    if (c.recurrent.size() < c.layers) {
      return {StatusCode::kCorrupt,
              Format("{}: qwen35.attention.recurrent_layers has {} entries for {} layers",
                     file.name(), c.recurrent.size(), c.layers)};
    }
    return OkStatus();
  }
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t interval,
                          file.GetUintOr("qwen35.full_attention_interval", 4));
  if (interval == 0) {
    return {StatusCode::kCorrupt, Format("{}: qwen35.full_attention_interval is 0", file.name())};
  }
  for (std::size_t i = 0; i < c.layers; ++i) {
    c.recurrent.push_back((i + 1) % interval != 0);
  }
  return OkStatus();
}

Result<Config> ReadConfig(const gguf::File& file) {
  Config c;
  TANDEM_ASSIGN_OR_RETURN(const std::size_t blocks, GetLayers(file, "qwen35.block_count"));
  TANDEM_ASSIGN_OR_RETURN(const std::size_t mtp, GetSizeOr(file, "qwen35.nextn_predict_layers", 0));
  c.layers = blocks > mtp ? blocks - mtp : 0;
  TANDEM_ASSIGN_OR_RETURN(c.width, GetSize(file, "qwen35.embedding_length"));
  TANDEM_ASSIGN_OR_RETURN(c.ffn, GetSize(file, "qwen35.feed_forward_length"));
  TANDEM_ASSIGN_OR_RETURN(c.context, GetSize(file, "qwen35.context_length", kMaxContext));
  TANDEM_ASSIGN_OR_RETURN(c.eps, file.GetFloat("qwen35.attention.layer_norm_rms_epsilon"));
  TANDEM_ASSIGN_OR_RETURN(c.heads, GetSize(file, "qwen35.attention.head_count"));
  TANDEM_ASSIGN_OR_RETURN(c.kv_heads, ReadKvHeads(file));
  TANDEM_ASSIGN_OR_RETURN(c.head_dim, GetSize(file, "qwen35.attention.key_length", kMaxHeadDim));
  TANDEM_ASSIGN_OR_RETURN(c.state_dim, GetSize(file, "qwen35.ssm.state_size", kMaxHeadDim));
  TANDEM_ASSIGN_OR_RETURN(c.key_heads, GetSize(file, "qwen35.ssm.group_count"));
  TANDEM_ASSIGN_OR_RETURN(c.value_heads, GetSize(file, "qwen35.ssm.time_step_rank"));
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t taps, file.GetUintOr("qwen35.ssm.conv_kernel", 4));
  if (taps != 4) {
    return Status(StatusCode::kUnsupported,
                  Format("{}: qwen35.ssm.conv_kernel is {}, only 4 is known", file.name(), taps));
  }
  TANDEM_RETURN_IF_ERROR(ReadRotary(file, c));
  const gguf::TensorInfo* embed = file.FindTensor("token_embd.weight");
  if (embed == nullptr) {
    return Status(StatusCode::kNotFound,
                  Format("{}: tensor 'token_embd.weight' is missing", file.name()));
  }
  c.vocabulary = embed->dims[1];
  TANDEM_RETURN_IF_ERROR(CheckConfig(file, c));
  TANDEM_RETURN_IF_ERROR(ReadLayerKinds(file, c));
  return c;
}

Result<AttentionWeights> ReadAttention(WeightReader& reader, const Config& c,
                                       const std::string& prefix) {
  const std::size_t q = c.heads * c.head_dim;
  const std::size_t k = c.kv_heads * c.head_dim;
  AttentionWeights w;
  TANDEM_ASSIGN_OR_RETURN(w.q_gate_XE, reader.Matrix(prefix + "attn_q.weight", 2 * q, c.width));
  TANDEM_ASSIGN_OR_RETURN(w.k_KE, reader.Matrix(prefix + "attn_k.weight", k, c.width));
  TANDEM_ASSIGN_OR_RETURN(w.v_KE, reader.Matrix(prefix + "attn_v.weight", k, c.width));
  TANDEM_ASSIGN_OR_RETURN(w.out_EQ, reader.Matrix(prefix + "attn_output.weight", c.width, q));
  TANDEM_ASSIGN_OR_RETURN(w.q_gain_D, reader.Vector(prefix + "attn_q_norm.weight", c.head_dim));
  TANDEM_ASSIGN_OR_RETURN(w.k_gain_D, reader.Vector(prefix + "attn_k_norm.weight", c.head_dim));
  return w;
}

Result<DeltaWeights> ReadDelta(WeightReader& reader, const Config& c, const std::string& prefix) {
  DeltaWeights w;
  TANDEM_ASSIGN_OR_RETURN(w.qkv_CE,
                          reader.Matrix(prefix + "attn_qkv.weight", c.channels(), c.width));
  TANDEM_ASSIGN_OR_RETURN(w.z_UE,
                          reader.Matrix(prefix + "attn_gate.weight", c.value_width(), c.width));
  TANDEM_ASSIGN_OR_RETURN(w.beta_HE,
                          reader.Matrix(prefix + "ssm_beta.weight", c.value_heads, c.width));
  TANDEM_ASSIGN_OR_RETURN(w.alpha_HE,
                          reader.Matrix(prefix + "ssm_alpha.weight", c.value_heads, c.width));
  TANDEM_ASSIGN_OR_RETURN(const std::span<const float> conv,
                          reader.Vector(prefix + "ssm_conv1d.weight", 4 * c.channels()));
  w.conv_C4 = Mat<const float>(conv.data(), c.channels(), 4);
  TANDEM_ASSIGN_OR_RETURN(w.a_H, reader.Vector(prefix + "ssm_a", c.value_heads));
  // Merged files of another program leave the suffix out.
  const std::string dt = prefix + (reader.Has(prefix + "ssm_dt.bias") ? "ssm_dt.bias" : "ssm_dt");
  TANDEM_ASSIGN_OR_RETURN(w.dt_H, reader.Vector(dt, c.value_heads));
  TANDEM_ASSIGN_OR_RETURN(w.gain_D, reader.Vector(prefix + "ssm_norm.weight", c.state_dim));
  TANDEM_ASSIGN_OR_RETURN(w.out_EU,
                          reader.Matrix(prefix + "ssm_out.weight", c.width, c.value_width()));
  return w;
}

Result<Layer> ReadLayer(WeightReader& reader, const Config& c, std::size_t index) {
  const std::string prefix = Format("blk.{}.", index);
  Layer layer;
  layer.recurrent = c.recurrent[index];
  TANDEM_ASSIGN_OR_RETURN(layer.mix_gain_E, reader.Vector(prefix + "attn_norm.weight", c.width));
  if (layer.recurrent) {
    TANDEM_ASSIGN_OR_RETURN(layer.delta, ReadDelta(reader, c, prefix));
  } else {
    TANDEM_ASSIGN_OR_RETURN(layer.attention, ReadAttention(reader, c, prefix));
  }
  TANDEM_ASSIGN_OR_RETURN(layer.ffn_gain_E,
                          reader.Vector(prefix + "post_attention_norm.weight", c.width));
  TANDEM_ASSIGN_OR_RETURN(layer.gate_FE, reader.Matrix(prefix + "ffn_gate.weight", c.ffn, c.width));
  TANDEM_ASSIGN_OR_RETURN(layer.up_FE, reader.Matrix(prefix + "ffn_up.weight", c.ffn, c.width));
  TANDEM_ASSIGN_OR_RETURN(layer.down_EF, reader.Matrix(prefix + "ffn_down.weight", c.width, c.ffn));
  return layer;
}

// Interleaved M-RoPE: frequency i turns with h when i mod 3 is 1, with w when it is 2, as long as
// that axis' section lasts; with t otherwise. Source: transformers,
// Qwen3_5TextRotaryEmbedding.apply_interleaved_mrope.
RotaryTable MakeRotary(const Config& c) {
  std::vector<int> axis(c.rotary_dims / 2, 0);
  for (std::size_t i = 0; i < axis.size(); ++i) {
    const std::size_t a = i % 3;
    if (a != 0 && i < 3 * c.rotary_sections[a]) {
      axis[i] = static_cast<int>(a);
    }
  }
  return RotaryTable(RotaryFrequencies(c.rope_base, c.rotary_dims), std::move(axis), 1.0);
}

class Qwen35 final : public Network {
 public:
  Qwen35(const Config& config, Weights weights)
      : config_(config), weights_(std::move(weights)), rotary_(MakeRotary(config)) {
    const auto recurrent =
        static_cast<std::size_t>(std::count_if(weights_.layers.begin(), weights_.layers.end(),
                                               [](const Layer& l) { return l.recurrent; }));
    info_ = {.architecture = "qwen35",
             .layers = config.layers,
             .width = config.width,
             .vocabulary = config.vocabulary,
             .context_length = config.context,
             .kv_layers = config.layers - recurrent,
             .kv_heads = config.kv_heads,
             .head_dim = config.head_dim,
             .recurrent_floats = recurrent * config.layer_floats(),
             .widest_input = std::max(
                 {config.width, config.ffn, config.heads * config.head_dim, config.value_width()}),
             .scratch_floats_per_row = 3 * config.width + WideFloats(config)};
  }

  const ModelInfo& info() const override { return info_; }

  std::unique_ptr<StepScratch> NewScratch(std::size_t max_rows) const override {
    return std::make_unique<Scratch>(config_, max_rows);
  }

  void Forward(Ops& ops, std::span<const BatchSequence> batch, StepScratch& scratch,
               Mat<float> logits_RV, const HiddenTap* tap) const override;

 private:
  void Attend(Ops& ops, const Layer& layer, const RopeArgs& rope, Scratch& s, Mat<float> n_TE,
              Mat<float> mix_TE) const;
  void DeltaMix(Ops& ops, const Layer& layer, std::span<const BatchSequence> batch, Scratch& s,
                Mat<float> n_TE, Mat<float> mix_TE) const;
  void FeedForward(Ops& ops, const Layer& layer, Scratch& s, Mat<float> n_TE,
                   Mat<float> mix_TE) const;
  RopeArgs FillRotary(std::span<const BatchSequence> batch, Scratch& s) const;
  void GatherStates(std::span<const BatchSequence> batch, std::size_t slot, Scratch& s) const;

  Config config_;
  Weights weights_;
  RotaryTable rotary_;
  ModelInfo info_;
};

void Qwen35::Forward(Ops& ops, std::span<const BatchSequence> batch, StepScratch& scratch,
                     Mat<float> logits_RV, const HiddenTap* tap) const {
  auto& s = static_cast<Scratch&>(scratch);
  s.rows.Gather(batch);
  const std::size_t rows = s.rows.rows();
  const Mat<float> x_TE(s.x.data(), rows, config_.width);
  const Mat<float> n_TE(s.n.data(), rows, config_.width);
  const Mat<float> mix_TE(s.mix.data(), rows, config_.width);
  for (const BatchSequence& sequence : batch) {
    TANDEM_CHECK(sequence.rollback_rows <= sequence.ids.size(),
                 "a step can be undone over its own rows only");
    TANDEM_CHECK(sequence.keep_after == 0 ||
                     (sequence.rollback_rows == 0 && sequence.keep_after < sequence.ids.size()),
                 "a state is kept within a step that is not undone");
    sequence.state->PrepareRollback(sequence.rollback_rows);
  }
  ops.Embed(weights_.embed_VE, s.rows.ids, x_TE);
  CopyVectors(batch, x_TE);
  const RopeArgs rope = FillRotary(batch, s);

  for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
    if (tap != nullptr) {
      (*tap)(i, x_TE);
    }
    const Layer& layer = weights_.layers[i];
    ops.RmsNorm(x_TE, layer.mix_gain_E, config_.eps, n_TE);
    if (layer.recurrent) {
      DeltaMix(ops, layer, batch, s, n_TE, mix_TE);
    } else {
      Attend(ops, layer, rope, s, n_TE, mix_TE);
    }
    ops.AddTo(mix_TE, x_TE);
    ops.RmsNorm(x_TE, layer.ffn_gain_E, config_.eps, n_TE);
    FeedForward(ops, layer, s, n_TE, mix_TE);
    ops.AddTo(mix_TE, x_TE);
  }
  for (const BatchSequence& sequence : batch) {
    sequence.state->Advance(sequence.ids.size());
  }
  ops.RmsNorm(x_TE, weights_.out_gain_E, config_.eps, n_TE);
  if (tap != nullptr) {
    (*tap)(weights_.layers.size(), n_TE);
  }
  const Mat<float> last_RE = mix_TE.RowRange(0, s.rows.logit_rows.size());
  PickRows(n_TE, s.rows.logit_rows, last_RE);
  const MatMulTask head{&weights_.head_VE, logits_RV};
  ops.MatMul(last_RE, {&head, 1});
}

// models.md 2.3.
void Qwen35::Attend(Ops& ops, const Layer& layer, const RopeArgs& rope, Scratch& s, Mat<float> n_TE,
                    Mat<float> mix_TE) const {
  const AttentionWeights& w = layer.attention;
  const std::size_t d = config_.head_dim;
  const std::size_t q = config_.heads * d;
  const std::size_t k = config_.kv_heads * d;
  const Mat<float> wide_TX(s.wide.data(), n_TE.rows, 3 * q + 2 * k);
  const Mat<float> q_gate_TX = wide_TX.ColRange(0, 2 * q);
  const Mat<float> k_TK = wide_TX.ColRange(2 * q, k);
  const Mat<float> v_TK = wide_TX.ColRange(2 * q + k, k);
  const Mat<float> out_TQ = wide_TX.ColRange(2 * q + 2 * k, q);

  const MatMulTask projections[] = {{&w.q_gate_XE, q_gate_TX}, {&w.k_KE, k_TK}, {&w.v_KE, v_TK}};
  ops.MatMul(n_TE, projections);
  ops.HeadNormRopeInPlace(q_gate_TX, config_.heads, 2 * d, d, w.q_gain_D, config_.eps, rope);
  ops.HeadNormRopeInPlace(k_TK, config_.kv_heads, d, d, w.k_gain_D, config_.eps, rope);
  s.rows.SetLayer(layer.slot);
  ops.KvAppend(k_TK, v_TK, config_.kv_heads, d, s.rows.kv);
  ops.Attention({.q_TQ = q_gate_TX,
                 .q_head_stride = 2 * d,
                 .heads = config_.heads,
                 .kv_heads = config_.kv_heads,
                 .head_dim = d,
                 .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(d))),
                 .segments = s.rows.kv},
                out_TQ);
  // The gate is the raw projection: no norm, no rotary.
  ops.SigmoidGateInPlace(out_TQ, config_.heads, d, q_gate_TX.ColRange(d, 2 * q - d), 2 * d);
  const MatMulTask out{&w.out_EQ, mix_TE};
  ops.MatMul(out_TQ, {&out, 1});
}

// models.md 2.5. The delta rule runs as a scan in prefill too; docs/adr/0001 says why not in
// chunks.
void Qwen35::DeltaMix(Ops& ops, const Layer& layer, std::span<const BatchSequence> batch,
                      Scratch& s, Mat<float> n_TE, Mat<float> mix_TE) const {
  const DeltaWeights& w = layer.delta;
  const std::size_t rows = n_TE.rows;
  const std::size_t channels = config_.channels();
  const std::size_t values = config_.value_width();
  float* next = s.wide.data();
  const auto take = [&next, rows](std::size_t cols) {
    Mat<float> view(next, rows, cols);
    next += rows * cols;
    return view;
  };
  const Mat<float> qkv_TC = take(channels);
  const Mat<float> conv_TC = take(channels);
  const Mat<float> z_TU = take(values);
  const Mat<float> out_TU = take(values);
  const Mat<float> beta_TH = take(config_.value_heads);
  const Mat<float> alpha_TH = take(config_.value_heads);

  const MatMulTask projections[] = {
      {&w.qkv_CE, qkv_TC}, {&w.z_UE, z_TU}, {&w.beta_HE, beta_TH}, {&w.alpha_HE, alpha_TH}};
  ops.MatMul(n_TE, projections);
  GatherStates(batch, layer.slot, s);
  ops.ConvSilu(qkv_TC, w.conv_C4, s.conv, conv_TC);
  ops.GatedDelta({.qkv_TC = conv_TC,
                  .beta_TH = beta_TH,
                  .alpha_TH = alpha_TH,
                  .a_H = w.a_H,
                  .dt_H = w.dt_H,
                  .key_heads = config_.key_heads,
                  .value_heads = config_.value_heads,
                  .head_dim = config_.state_dim,
                  .segments = s.delta},
                 out_TU);
  ops.GatedHeadNormInPlace(out_TU, z_TU, w.gain_D, config_.eps);
  const MatMulTask out{&w.out_EU, mix_TE};
  ops.MatMul(out_TU, {&out, 1});
}

void Qwen35::FeedForward(Ops& ops, const Layer& layer, Scratch& s, Mat<float> n_TE,
                         Mat<float> mix_TE) const {
  const Mat<float> gate_up_TX(s.wide.data(), n_TE.rows, 2 * config_.ffn);
  const Mat<float> gate_TF = gate_up_TX.ColRange(0, config_.ffn);
  const Mat<float> up_TF = gate_up_TX.ColRange(config_.ffn, config_.ffn);
  const MatMulTask gate_up[] = {{&layer.gate_FE, gate_TF}, {&layer.up_FE, up_TF}};
  ops.MatMul(n_TE, gate_up);
  ops.SwiGluInPlace(gate_TF, up_TF);
  const MatMulTask down{&layer.down_EF, mix_TE};
  ops.MatMul(gate_TF, {&down, 1});
}

RopeArgs Qwen35::FillRotary(std::span<const BatchSequence> batch, Scratch& s) const {
  const Mat<float> cos_TN(s.cosines.data(), s.rows.rows(), rotary_.frequencies());
  const Mat<float> sin_TN(s.sines.data(), s.rows.rows(), rotary_.frequencies());
  std::size_t row = 0;
  for (const BatchSequence& sequence : batch) {
    const std::size_t count = sequence.ids.size();
    rotary_.Fill(sequence.positions, cos_TN.RowRange(row, count), sin_TN.RowRange(row, count));
    row += count;
  }
  return {cos_TN, sin_TN};
}

// Where each sequence keeps the state of the slot-th recurrent layer, and where copies go that a
// rollback needs: slot `back` of the state holds what stood `back` rows before the step's end.
void Qwen35::GatherStates(std::span<const BatchSequence> batch, std::size_t slot,
                          Scratch& s) const {
  s.conv.clear();
  s.delta.clear();
  s.conv_snapshots.assign(s.rows.rows(), nullptr);
  s.delta_snapshots.assign(s.rows.rows(), nullptr);
  const std::size_t offset = slot * config_.layer_floats();
  std::size_t row = 0;
  for (const BatchSequence& sequence : batch) {
    const std::size_t rows = sequence.ids.size();
    float* state = sequence.state->recurrent() + offset;
    for (std::size_t back = 1; back <= sequence.rollback_rows; ++back) {
      float* copy = sequence.state->RollbackSlot(back) + offset;
      if (back == rows) {
        std::copy_n(state, config_.layer_floats(), copy);
      } else {
        s.delta_snapshots[row + rows - 1 - back] = copy;
        s.conv_snapshots[row + rows - 1 - back] = copy + config_.state_floats();
      }
    }
    if (sequence.keep_after > 0) {
      float* copy = sequence.state->KeptSlot() + offset;
      s.delta_snapshots[row + sequence.keep_after - 1] = copy;
      s.conv_snapshots[row + sequence.keep_after - 1] = copy + config_.state_floats();
    }
    const bool none = sequence.rollback_rows + sequence.keep_after == 0;
    s.conv.push_back({.row_begin = row,
                      .rows = rows,
                      .state_3C = state + config_.state_floats(),
                      .snapshots = none ? std::span<float* const>()
                                        : std::span(s.conv_snapshots).subspan(row, rows)});
    s.delta.push_back({.row_begin = row,
                       .rows = rows,
                       .state_HDD = state,
                       .snapshots = none ? std::span<float* const>()
                                         : std::span(s.delta_snapshots).subspan(row, rows)});
    row += rows;
  }
}

}  // namespace

Result<std::unique_ptr<Network>> LoadQwen35(const gguf::File& file) {
  TANDEM_ASSIGN_OR_RETURN(const Config config, ReadConfig(file));
  WeightReader reader(file);
  Weights w;
  TANDEM_ASSIGN_OR_RETURN(w.embed_VE,
                          reader.Matrix("token_embd.weight", config.vocabulary, config.width));
  TANDEM_ASSIGN_OR_RETURN(w.out_gain_E, reader.Vector("output_norm.weight", config.width));
  // Absent when the head is tied to the embedding.
  const std::string_view head = reader.Has("output.weight") ? "output.weight" : "token_embd.weight";
  TANDEM_ASSIGN_OR_RETURN(w.head_VE, reader.Matrix(head, config.vocabulary, config.width));
  std::size_t slots[2] = {0, 0};
  for (std::size_t i = 0; i < config.layers; ++i) {
    TANDEM_ASSIGN_OR_RETURN(Layer layer, ReadLayer(reader, config, i));
    layer.slot = slots[layer.recurrent ? 1 : 0]++;
    w.layers.push_back(std::move(layer));
  }
  w.owned = reader.TakeOwned();
  return std::unique_ptr<Network>(std::make_unique<Qwen35>(config, std::move(w)));
}

}  // namespace tandem
