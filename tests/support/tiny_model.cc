#include "tests/support/tiny_model.h"

#include <cmath>
#include <string>
#include <utility>

#include "base/format.h"
#include "base/rng.h"
#include "gguf/writer.h"
#include "quant/formats.h"

namespace tandem {
namespace {

constexpr std::size_t kVocabulary = 160;

/// The tensors of a file in the making, with their values.
class TensorList {
 public:
  TensorList(std::uint64_t seed, gguf::TensorType type) : seed_(seed), type_(type) {}

  /// Normalised so that a product with a row of ones' size keeps that size.
  void Matrix(const std::string& name, std::size_t rows, std::size_t cols) {
    Add(name, {cols, rows}, type_, 0, std::sqrt(3.0 / static_cast<double>(cols)));
  }
  void Table(const std::string& name, std::size_t rows, std::size_t cols) {
    Add(name, {cols, rows}, gguf::TensorType::kF32, 0, 1);
  }
  void Gain(const std::string& name, std::size_t size) { Vector(name, size, 1, 0.5); }
  /// Values within `spread` of `middle`.
  void Vector(const std::string& name, std::size_t size, double middle, double spread) {
    Add(name, {size}, gguf::TensorType::kF32, middle, spread);
  }
  void Conv(const std::string& name, std::size_t channels) {
    Add(name, {4, channels}, gguf::TensorType::kF32, 0, 0.8);
  }

  TinyModel Finish(const gguf::Metadata& metadata) {
    const auto source = [this](std::size_t index, const gguf::ByteSink& sink) {
      return sink(data_[index]);
    };
    TinyModel model;
    model.bytes = gguf::WriteBytes(metadata, specs_, source).value();
    model.file = gguf::ModelFile::FromBytes(model.bytes, "tiny model").value();
    model.network = LoadNetwork(*model.file).value();
    return model;
  }

 private:
  void Add(const std::string& name, std::vector<std::uint64_t> dims, gguf::TensorType type,
           double middle, double spread) {
    std::size_t count = 1;
    for (const std::uint64_t dim : dims) {
      count *= dim;
    }
    std::vector<float> values(count);
    for (float& value : values) {
      value = static_cast<float>(middle + spread * (2 * UniformAt(seed_, next_++) - 1));
    }
    const quant::Format& format = *quant::FindFormat(type);
    std::vector<std::byte> blocks(format.RowBytes(dims[0]) * (count / dims[0]));
    quant::Encode(format, values, blocks);
    specs_.push_back({name, std::move(dims), type});
    data_.push_back(std::move(blocks));
  }

  std::uint64_t seed_;
  gguf::TensorType type_;
  std::uint64_t next_ = 0;
  std::vector<gguf::TensorSpec> specs_;
  std::vector<std::vector<std::byte>> data_;
};

}  // namespace

TinyModel MakeTinyQwen(const TinyModelOptions& options) {
  constexpr std::size_t kWidth = 64;
  constexpr std::size_t kFfn = 96;
  constexpr std::size_t kHeads = 2;
  constexpr std::size_t kHeadDim = 64;
  constexpr std::size_t kKeyHeads = 2;
  constexpr std::size_t kValueHeads = 4;
  constexpr std::size_t kStateDim = 32;
  constexpr std::size_t kChannels = (2 * kKeyHeads + kValueHeads) * kStateDim;
  constexpr std::size_t kLayers = 4;
  gguf::Metadata m;
  m.SetString("general.architecture", "qwen35");
  m.SetUint32("qwen35.block_count", kLayers);
  m.SetUint32("qwen35.embedding_length", kWidth);
  m.SetUint32("qwen35.feed_forward_length", kFfn);
  m.SetUint32("qwen35.context_length", static_cast<std::uint32_t>(options.context));
  m.SetFloat32("qwen35.attention.layer_norm_rms_epsilon", 1e-6F);
  m.SetUint32("qwen35.attention.head_count", kHeads);
  m.SetUint32("qwen35.attention.head_count_kv", 1);
  m.SetUint32("qwen35.attention.key_length", kHeadDim);
  m.SetUint32("qwen35.ssm.state_size", kStateDim);
  m.SetUint32("qwen35.ssm.group_count", kKeyHeads);
  m.SetUint32("qwen35.ssm.time_step_rank", kValueHeads);
  m.SetFloat32("qwen35.rope.freq_base", 1e7F);
  m.SetUint32("qwen35.rope.dimension_count", kHeadDim / 4);
  const std::int32_t sections[] = {3, 3, 2, 0};
  m.SetInt32s("qwen35.rope.dimension_sections", sections);

  TensorList tensors(options.seed, options.type);
  tensors.Table("token_embd.weight", kVocabulary, kWidth);
  tensors.Gain("output_norm.weight", kWidth);
  for (std::size_t i = 0; i < kLayers; ++i) {
    const std::string prefix = Format("blk.{}.", i);
    tensors.Gain(prefix + "attn_norm.weight", kWidth);
    if (i + 1 == kLayers) {
      tensors.Matrix(prefix + "attn_q.weight", 2 * kHeads * kHeadDim, kWidth);
      tensors.Matrix(prefix + "attn_k.weight", kHeadDim, kWidth);
      tensors.Matrix(prefix + "attn_v.weight", kHeadDim, kWidth);
      tensors.Matrix(prefix + "attn_output.weight", kWidth, kHeads * kHeadDim);
      tensors.Gain(prefix + "attn_q_norm.weight", kHeadDim);
      tensors.Gain(prefix + "attn_k_norm.weight", kHeadDim);
    } else {
      tensors.Matrix(prefix + "attn_qkv.weight", kChannels, kWidth);
      tensors.Matrix(prefix + "attn_gate.weight", kValueHeads * kStateDim, kWidth);
      tensors.Matrix(prefix + "ssm_beta.weight", kValueHeads, kWidth);
      tensors.Matrix(prefix + "ssm_alpha.weight", kValueHeads, kWidth);
      tensors.Conv(prefix + "ssm_conv1d.weight", kChannels);
      tensors.Vector(prefix + "ssm_a", kValueHeads, -1, 0.9);
      tensors.Vector(prefix + "ssm_dt.bias", kValueHeads, -1, 1);
      tensors.Gain(prefix + "ssm_norm.weight", kStateDim);
      tensors.Matrix(prefix + "ssm_out.weight", kWidth, kValueHeads * kStateDim);
    }
    tensors.Gain(prefix + "post_attention_norm.weight", kWidth);
    tensors.Matrix(prefix + "ffn_gate.weight", kFfn, kWidth);
    tensors.Matrix(prefix + "ffn_up.weight", kFfn, kWidth);
    tensors.Matrix(prefix + "ffn_down.weight", kWidth, kFfn);
  }
  return tensors.Finish(m);
}

TinyModel MakeTinyPhi(const TinyModelOptions& options) {
  constexpr std::size_t kWidth = 128;
  constexpr std::size_t kFfn = 96;
  constexpr std::size_t kHeads = 4;
  constexpr std::size_t kKvHeads = 2;
  constexpr std::size_t kHeadDim = kWidth / kHeads;
  constexpr std::size_t kRotaryDims = 24;
  constexpr std::size_t kLayers = 2;
  gguf::Metadata m;
  m.SetString("general.architecture", "phi3");
  m.SetUint32("phi3.block_count", kLayers);
  m.SetUint32("phi3.embedding_length", kWidth);
  m.SetUint32("phi3.feed_forward_length", kFfn);
  m.SetUint32("phi3.attention.head_count", kHeads);
  m.SetUint32("phi3.attention.head_count_kv", kKvHeads);
  m.SetUint32("phi3.context_length", static_cast<std::uint32_t>(options.context));
  m.SetUint32("phi3.rope.scaling.original_context_length",
              static_cast<std::uint32_t>(options.original_context));
  m.SetFloat32("phi3.attention.layer_norm_rms_epsilon", 1e-5F);
  m.SetFloat32("phi3.rope.freq_base", 10000.0F);
  m.SetUint32("phi3.rope.dimension_count", kRotaryDims);

  TensorList tensors(options.seed, options.type);
  tensors.Vector("rope_factors_short.weight", kRotaryDims / 2, 1.1, 0.1);
  tensors.Vector("rope_factors_long.weight", kRotaryDims / 2, 20, 15);
  tensors.Table("token_embd.weight", kVocabulary, kWidth);
  tensors.Gain("output_norm.weight", kWidth);
  for (std::size_t i = 0; i < kLayers; ++i) {
    const std::string prefix = Format("blk.{}.", i);
    tensors.Gain(prefix + "attn_norm.weight", kWidth);
    tensors.Matrix(prefix + "attn_qkv.weight", (kHeads + 2 * kKvHeads) * kHeadDim, kWidth);
    tensors.Matrix(prefix + "attn_output.weight", kWidth, kHeads * kHeadDim);
    tensors.Gain(prefix + "ffn_norm.weight", kWidth);
    tensors.Matrix(prefix + "ffn_up.weight", 2 * kFfn, kWidth);
    tensors.Matrix(prefix + "ffn_down.weight", kWidth, kFfn);
  }
  return tensors.Finish(m);
}

}  // namespace tandem
