// Phi-3 / Phi-4-mini: dense pre-norm transformer with grouped-query attention and partial rotary
// embedding. Papers: arXiv:2404.14219 (Phi-3), arXiv:2503.01743 (Phi-4-mini), arXiv:2402.13753
// (LongRoPE). Reference code: transformers, models/phi3/modeling_phi3.py; docs/models/phi3.md maps
// lines to formulas.
//
// Dimension key: T rows of this step, R rows that need logits, E model width, F feed-forward width,
// V vocabulary, Q query width (heads x D), K key width (key-value heads x D), N rotary frequencies.

#include "model/phi3.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/format.h"
#include "model/rope.h"
#include "model/step_rows.h"
#include "model/weights.h"

namespace tandem {
namespace {

struct Config {
  std::size_t layers = 0;
  std::size_t width = 0;
  std::size_t ffn = 0;
  std::size_t heads = 0;
  std::size_t kv_heads = 0;
  std::size_t head_dim = 0;
  std::size_t vocabulary = 0;
  std::size_t context = 0;
  std::size_t original_context = 0;  // up to here the short factors hold
  std::size_t rotary_dims = 0;
  double rope_base = 0;
  double attention_factor = 1;  // multiplies cosines and sines, for short and long factors alike
  float eps = 0;
};

struct Layer {
  std::span<const float> attn_gain_E;
  QMat qkv_XE;  // rows q | k | v
  QMat out_EQ;
  std::span<const float> ffn_gain_E;
  QMat gate_up_XE;  // rows gate | up
  QMat down_EF;
};

struct Weights {
  QMat embed_VE;
  std::span<const float> out_gain_E;
  QMat head_VE;
  std::vector<Layer> layers;
  std::vector<AlignedBuffer<float>> owned;
};

struct Scratch final : StepScratch {
  Scratch(const Config& c, std::size_t max_rows)
      : rows(max_rows),
        x(max_rows * c.width),
        n(max_rows * c.width),
        mix(max_rows * c.width),
        wide(max_rows * std::max(2 * c.ffn, (2 * c.heads + 2 * c.kv_heads) * c.head_dim)),
        cosines(max_rows * c.rotary_dims / 2),
        sines(max_rows * c.rotary_dims / 2) {}

  StepRows rows;
  AlignedBuffer<float> x;
  AlignedBuffer<float> n;
  AlignedBuffer<float> mix;
  AlignedBuffer<float> wide;  // qkv and attention output, then gate and up
  AlignedBuffer<float> cosines;
  AlignedBuffer<float> sines;
};

// attn_factor as the reference computes it, sqrt(1 + ln(max/original)/ln(original)), when the
// file's rounded copy agrees; a file that says otherwise is believed.
double AttentionFactor(const Config& c, std::optional<float> from_file) {
  const double ratio = static_cast<double>(c.context) / static_cast<double>(c.original_context);
  const double computed =
      ratio <= 1
          ? 1
          : std::sqrt(1 + std::log(ratio) / std::log(static_cast<double>(c.original_context)));
  if (!from_file.has_value() || std::fabs(*from_file - computed) < 1e-6 * computed) {
    return computed;
  }
  return *from_file;
}

Result<Config> ReadConfig(const gguf::File& file) {
  Config c;
  TANDEM_ASSIGN_OR_RETURN(c.layers, GetLayers(file, "phi3.block_count"));
  TANDEM_ASSIGN_OR_RETURN(c.width, GetSize(file, "phi3.embedding_length"));
  TANDEM_ASSIGN_OR_RETURN(c.ffn, GetSize(file, "phi3.feed_forward_length"));
  TANDEM_ASSIGN_OR_RETURN(c.heads, GetSize(file, "phi3.attention.head_count"));
  TANDEM_ASSIGN_OR_RETURN(c.kv_heads, GetSizeOr(file, "phi3.attention.head_count_kv", c.heads));
  TANDEM_ASSIGN_OR_RETURN(c.context, GetSize(file, "phi3.context_length", kMaxContext));
  // Written only by converters of models with LongRoPE; without it there is one regime.
  TANDEM_ASSIGN_OR_RETURN(
      c.original_context,
      GetSizeOr(file, "phi3.rope.scaling.original_context_length", c.context, kMaxContext));
  TANDEM_ASSIGN_OR_RETURN(c.eps, file.GetFloat("phi3.attention.layer_norm_rms_epsilon"));
  TANDEM_ASSIGN_OR_RETURN(const float base, file.GetFloatOr("phi3.rope.freq_base", 10000.0F));
  c.rope_base = static_cast<double>(base);
  if (c.heads == 0 || c.kv_heads == 0 || c.heads % c.kv_heads != 0 || c.width % c.heads != 0 ||
      c.layers == 0) {
    return Status(
        StatusCode::kCorrupt,
        Format("{}: {} layers, width {}, {} heads and {} key-value heads do not fit together",
               file.name(), c.layers, c.width, c.heads, c.kv_heads));
  }
  TANDEM_ASSIGN_OR_RETURN(
      c.head_dim, GetSizeOr(file, "phi3.attention.key_length", c.width / c.heads, kMaxHeadDim));
  if (c.head_dim > kMaxHeadDim) {
    return Status(StatusCode::kCorrupt, Format("{}: heads of {} values; at most {} are possible",
                                               file.name(), c.head_dim, kMaxHeadDim));
  }
  TANDEM_ASSIGN_OR_RETURN(c.rotary_dims, GetSizeOr(file, "phi3.rope.dimension_count", c.head_dim));
  if (c.rotary_dims == 0 || c.rotary_dims > c.head_dim || c.rotary_dims % 2 != 0 ||
      c.original_context < 2) {
    return Status(StatusCode::kCorrupt,
                  Format("{}: {} rotary dimensions of a head of {}, original context {}",
                         file.name(), c.rotary_dims, c.head_dim, c.original_context));
  }
  const gguf::TensorInfo* embed = file.FindTensor("token_embd.weight");
  if (embed == nullptr) {
    return Status(StatusCode::kNotFound,
                  Format("{}: tensor 'token_embd.weight' is missing", file.name()));
  }
  c.vocabulary = embed->dims[1];
  if (file.FindTensor("rope_factors_long.weight") != nullptr) {
    std::optional<float> factor;
    if (file.Has("phi3.rope.scaling.attn_factor")) {
      TANDEM_ASSIGN_OR_RETURN(factor, file.GetFloat("phi3.rope.scaling.attn_factor"));
    }
    c.attention_factor = AttentionFactor(c, factor);
  }
  return c;
}

Result<Layer> ReadLayer(WeightReader& reader, const Config& c, std::size_t index) {
  const auto name = [index](std::string_view part) {
    return Format("blk.{}.{}.weight", index, part);
  };
  const std::size_t q = c.heads * c.head_dim;
  const std::size_t k = c.kv_heads * c.head_dim;
  Layer layer;
  TANDEM_ASSIGN_OR_RETURN(layer.attn_gain_E, reader.Vector(name("attn_norm"), c.width));
  TANDEM_ASSIGN_OR_RETURN(layer.qkv_XE, reader.Matrix(name("attn_qkv"), q + 2 * k, c.width));
  TANDEM_ASSIGN_OR_RETURN(layer.out_EQ, reader.Matrix(name("attn_output"), c.width, q));
  TANDEM_ASSIGN_OR_RETURN(layer.ffn_gain_E, reader.Vector(name("ffn_norm"), c.width));
  TANDEM_ASSIGN_OR_RETURN(layer.gate_up_XE, reader.Matrix(name("ffn_up"), 2 * c.ffn, c.width));
  TANDEM_ASSIGN_OR_RETURN(layer.down_EF, reader.Matrix(name("ffn_down"), c.width, c.ffn));
  return layer;
}

// The rotary table for one list of factors: inv_freq_i = base^(-2i/dims) / factor_i
// (models.md 2.6).
Result<RotaryTable> ReadRotary(WeightReader& reader, const Config& c, std::string_view factors) {
  std::vector<double> inv_freq = RotaryFrequencies(c.rope_base, c.rotary_dims);
  if (reader.Has(factors)) {
    TANDEM_ASSIGN_OR_RETURN(const std::span<const float> factor_N,
                            reader.Vector(factors, inv_freq.size()));
    for (std::size_t i = 0; i < inv_freq.size(); ++i) {
      inv_freq[i] /= static_cast<double>(factor_N[i]);
    }
  }
  std::vector<int> axis(inv_freq.size(), 0);
  return RotaryTable(std::move(inv_freq), std::move(axis), c.attention_factor);
}

class Phi3 final : public Network {
 public:
  Phi3(const Config& config, Weights weights, RotaryTable short_rotary, RotaryTable long_rotary)
      : config_(config),
        weights_(std::move(weights)),
        short_rotary_(std::move(short_rotary)),
        long_rotary_(std::move(long_rotary)) {
    info_ = {.architecture = "phi3",
             .layers = config.layers,
             .width = config.width,
             .vocabulary = config.vocabulary,
             .context_length = config.context,
             .kv_layers = config.layers,
             .kv_heads = config.kv_heads,
             .head_dim = config.head_dim,
             .recurrent_floats = 0,
             .widest_input = std::max({config.width, config.ffn, config.heads * config.head_dim}),
             .scratch_floats_per_row =
                 3 * config.width +
                 std::max(2 * config.ffn, 2 * (config.heads + config.kv_heads) * config.head_dim)};
  }

  const ModelInfo& info() const override { return info_; }

  std::unique_ptr<StepScratch> NewScratch(std::size_t max_rows) const override {
    return std::make_unique<Scratch>(config_, max_rows);
  }

  // Short factors up to and including the original length, long ones beyond, for every token of the
  // sequence. Source: transformers, Phi3ForCausalLM.prepare_inputs_for_generation and
  // modeling_rope_utils.dynamic_rope_update.
  bool PlanLength(SequenceState& state, std::size_t tokens) const override {
    const bool long_factors = tokens > config_.original_context;
    if (state.length() == 0) {
      state.long_factors = long_factors;
    }
    return state.long_factors == long_factors;
  }

  void Forward(Ops& ops, std::span<const BatchSequence> batch, StepScratch& scratch,
               Mat<float> logits_RV, const HiddenTap* tap) const override;

 private:
  void Attend(Ops& ops, const Layer& layer, std::size_t index, const RopeArgs& rope, Scratch& s,
              Mat<float> n_TE, Mat<float> mix_TE) const;
  void FeedForward(Ops& ops, const Layer& layer, Scratch& s, Mat<float> n_TE,
                   Mat<float> mix_TE) const;
  RopeArgs FillRotary(std::span<const BatchSequence> batch, Scratch& s) const;

  Config config_;
  Weights weights_;
  RotaryTable short_rotary_;
  RotaryTable long_rotary_;
  ModelInfo info_;
};

RopeArgs Phi3::FillRotary(std::span<const BatchSequence> batch, Scratch& s) const {
  const Mat<float> cos_TN(s.cosines.data(), s.rows.rows(), config_.rotary_dims / 2);
  const Mat<float> sin_TN(s.sines.data(), s.rows.rows(), config_.rotary_dims / 2);
  std::size_t row = 0;
  for (const BatchSequence& sequence : batch) {
    const RotaryTable& table = sequence.state->long_factors ? long_rotary_ : short_rotary_;
    table.Fill(sequence.positions, cos_TN.RowRange(row, sequence.ids.size()),
               sin_TN.RowRange(row, sequence.ids.size()));
    row += sequence.ids.size();
  }
  return {cos_TN, sin_TN};
}

void Phi3::Forward(Ops& ops, std::span<const BatchSequence> batch, StepScratch& scratch,
                   Mat<float> logits_RV, const HiddenTap* tap) const {
  auto& s = static_cast<Scratch&>(scratch);
  s.rows.Gather(batch);
  const std::size_t rows = s.rows.rows();
  const Mat<float> x_TE(s.x.data(), rows, config_.width);
  const Mat<float> n_TE(s.n.data(), rows, config_.width);
  const Mat<float> mix_TE(s.mix.data(), rows, config_.width);
  ops.Embed(weights_.embed_VE, s.rows.ids, x_TE);
  CopyVectors(batch, x_TE);
  const RopeArgs rope = FillRotary(batch, s);

  for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
    if (tap != nullptr) {
      (*tap)(i, x_TE);
    }
    const Layer& layer = weights_.layers[i];
    ops.RmsNorm(x_TE, layer.attn_gain_E, config_.eps, n_TE);
    Attend(ops, layer, i, rope, s, n_TE, mix_TE);
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

void Phi3::Attend(Ops& ops, const Layer& layer, std::size_t index, const RopeArgs& rope, Scratch& s,
                  Mat<float> n_TE, Mat<float> mix_TE) const {
  const std::size_t q = config_.heads * config_.head_dim;
  const std::size_t k = config_.kv_heads * config_.head_dim;
  const Mat<float> wide_TX(s.wide.data(), n_TE.rows, 2 * q + 2 * k);
  const Mat<float> qkv_TX = wide_TX.ColRange(0, q + 2 * k);
  const Mat<float> q_TQ = wide_TX.ColRange(0, q);
  const Mat<float> k_TK = wide_TX.ColRange(q, k);
  const Mat<float> v_TK = wide_TX.ColRange(q + k, k);
  const Mat<float> out_TQ = wide_TX.ColRange(q + 2 * k, q);

  const MatMulTask qkv{&layer.qkv_XE, qkv_TX};
  ops.MatMul(n_TE, {&qkv, 1});
  ops.HeadNormRopeInPlace(q_TQ, config_.heads, config_.head_dim, config_.head_dim, {}, 0, rope);
  ops.HeadNormRopeInPlace(k_TK, config_.kv_heads, config_.head_dim, config_.head_dim, {}, 0, rope);
  s.rows.SetLayer(index);
  ops.KvAppend(k_TK, v_TK, config_.kv_heads, config_.head_dim, s.rows.kv);
  ops.Attention(
      {.q_TQ = q_TQ,
       .q_head_stride = config_.head_dim,
       .heads = config_.heads,
       .kv_heads = config_.kv_heads,
       .head_dim = config_.head_dim,
       // Score scale of arXiv:1706.03762 eq. 1.
       .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(config_.head_dim))),
       .segments = s.rows.kv},
      out_TQ);
  const MatMulTask out{&layer.out_EQ, mix_TE};
  ops.MatMul(out_TQ, {&out, 1});
}

void Phi3::FeedForward(Ops& ops, const Layer& layer, Scratch& s, Mat<float> n_TE,
                       Mat<float> mix_TE) const {
  const Mat<float> gate_up_TX(s.wide.data(), n_TE.rows, 2 * config_.ffn);
  const Mat<float> gate_TF = gate_up_TX.ColRange(0, config_.ffn);
  const MatMulTask gate_up{&layer.gate_up_XE, gate_up_TX};
  ops.MatMul(n_TE, {&gate_up, 1});
  ops.SwiGluInPlace(gate_TF, gate_up_TX.ColRange(config_.ffn, config_.ffn));
  const MatMulTask down{&layer.down_EF, mix_TE};
  ops.MatMul(gate_TF, {&down, 1});
}

}  // namespace

Result<std::unique_ptr<Network>> LoadPhi3(const gguf::File& file) {
  TANDEM_ASSIGN_OR_RETURN(const Config config, ReadConfig(file));
  WeightReader reader(file);
  Weights w;
  TANDEM_ASSIGN_OR_RETURN(w.embed_VE,
                          reader.Matrix("token_embd.weight", config.vocabulary, config.width));
  TANDEM_ASSIGN_OR_RETURN(w.out_gain_E, reader.Vector("output_norm.weight", config.width));
  // Absent when the head is tied to the embedding.
  const std::string_view head = reader.Has("output.weight") ? "output.weight" : "token_embd.weight";
  TANDEM_ASSIGN_OR_RETURN(w.head_VE, reader.Matrix(head, config.vocabulary, config.width));
  for (std::size_t i = 0; i < config.layers; ++i) {
    TANDEM_ASSIGN_OR_RETURN(Layer layer, ReadLayer(reader, config, i));
    w.layers.push_back(layer);
  }
  TANDEM_ASSIGN_OR_RETURN(RotaryTable short_rotary,
                          ReadRotary(reader, config, "rope_factors_short.weight"));
  TANDEM_ASSIGN_OR_RETURN(RotaryTable long_rotary,
                          ReadRotary(reader, config, "rope_factors_long.weight"));
  w.owned = reader.TakeOwned();
  return std::unique_ptr<Network>(std::make_unique<Phi3>(
      config, std::move(w), std::move(short_rotary), std::move(long_rotary)));
}

}  // namespace tandem
