#include "measure/synthetic.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>
#include <span>
#include <system_error>

#include "base/format.h"
#include "base/half.h"
#include "gguf/writer.h"
#include "io/descriptor.h"
#include "quant/formats.h"
#include "quantize/mix.h"

namespace tandem {
namespace {

using gguf::TensorType;

enum class Family { kQwen, kPhi };

/// Shapes of models.md 1.6, as published.
struct Shape {
  SyntheticModel model;
  Family family;
  std::uint64_t width;
  std::uint64_t layers;
  std::uint64_t ffn;
  std::uint64_t heads;
  std::uint64_t kv_heads;
  std::uint64_t key_heads;    // of the recurrent layers
  std::uint64_t value_heads;  // likewise
  bool tied;                  // the head is the embedding
  std::uint64_t vocabulary;
};
constexpr SyntheticModel kReasoning = {"phi4-mini-reasoning", "Phi-4-mini-reasoning"};
constexpr Shape kShapes[] = {
    {{"qwen3.5:0.8b", "Qwen3.5 0.8B"}, Family::kQwen, 1024, 24, 3584, 8, 2, 16, 16, true, 248320},
    {{"qwen3.5:2b", "Qwen3.5 2B"}, Family::kQwen, 2048, 24, 6144, 8, 2, 16, 16, true, 248320},
    {{"qwen3.5:4b", "Qwen3.5 4B"}, Family::kQwen, 2560, 32, 9216, 16, 4, 16, 32, true, 248320},
    {{"qwen3.5:9b", "Qwen3.5 9B"}, Family::kQwen, 4096, 32, 12288, 16, 4, 16, 32, false, 248320},
    {{"phi4-mini", "Phi-4-mini"}, Family::kPhi, 3072, 32, 8192, 24, 8, 0, 0, true, 200064},
    {kReasoning, Family::kPhi, 3072, 32, 8192, 24, 8, 0, 0, true, 200064},
};
constexpr std::uint64_t kQwenHead = 256;
constexpr std::uint64_t kQwenState = 128;
constexpr std::uint64_t kQwenInterval = 4;  // every fourth layer attends
constexpr std::size_t kChunkBlocks = 1 << 14;

const Shape* FindShape(std::string_view name) {
  const auto* shape = std::find_if(std::begin(kShapes), std::end(kShapes),
                                   [name](const Shape& s) { return s.model.name == name; });
  return shape == std::end(kShapes) ? nullptr : shape;
}

/// How a tensor's numbers are drawn.
enum class Draw {
  kNormal,    // sigma
  kNorm,      // near 1
  kDecay,     // -exp(A_log)
  kTimeStep,  // softplus gives 0.001 to 0.13
  kOnes,
  kRising,  // 1 to 48, like the long rotary factors
};

struct Tensor {
  gguf::TensorSpec spec;
  Draw draw = Draw::kNormal;
  double sigma = 0;
};

class TensorList {
 public:
  explicit TensorList(std::uint64_t layers)
      : residual_(1 / std::sqrt(2 * static_cast<double>(layers))) {}

  // Weights keep the size of a normalised input; those that write to the residual stream are
  // smaller, or it would grow from layer to layer.
  void Matrix(std::string name, std::uint64_t in, std::uint64_t out, bool residual = false) {
    const double sigma = 1 / std::sqrt(static_cast<double>(in)) * (residual ? residual_ : 1);
    Add(std::move(name), {in, out}, Draw::kNormal, sigma);
  }
  void Vector(std::string name, std::uint64_t n, Draw draw = Draw::kNorm) {
    Add(std::move(name), {n}, draw, 0);
  }
  void Add(std::string name, std::vector<std::uint64_t> dims, Draw draw, double sigma) {
    tensors_.push_back({{std::move(name), std::move(dims), TensorType::kF32}, draw, sigma});
  }

  std::vector<Tensor>& tensors() { return tensors_; }

 private:
  double residual_;
  std::vector<Tensor> tensors_;
};

void AddQwenLayer(const Shape& s, std::uint64_t index, TensorList& list) {
  const std::string p = Format("blk.{}.", index);
  list.Vector(p + "attn_norm.weight", s.width);
  list.Vector(p + "post_attention_norm.weight", s.width);
  list.Matrix(p + "ffn_gate.weight", s.width, s.ffn);
  list.Matrix(p + "ffn_up.weight", s.width, s.ffn);
  list.Matrix(p + "ffn_down.weight", s.ffn, s.width, true);
  if (index % kQwenInterval == kQwenInterval - 1) {
    const std::uint64_t q = s.heads * kQwenHead;
    const std::uint64_t k = s.kv_heads * kQwenHead;
    list.Matrix(p + "attn_q.weight", s.width, 2 * q);
    list.Matrix(p + "attn_k.weight", s.width, k);
    list.Matrix(p + "attn_v.weight", s.width, k);
    list.Matrix(p + "attn_output.weight", q, s.width, true);
    list.Vector(p + "attn_q_norm.weight", kQwenHead);
    list.Vector(p + "attn_k_norm.weight", kQwenHead);
    return;
  }
  const std::uint64_t values = s.value_heads * kQwenState;
  const std::uint64_t channels = 2 * s.key_heads * kQwenState + values;
  list.Matrix(p + "attn_qkv.weight", s.width, channels);
  list.Matrix(p + "attn_gate.weight", s.width, values);
  list.Matrix(p + "ssm_beta.weight", s.width, s.value_heads);
  list.Matrix(p + "ssm_alpha.weight", s.width, s.value_heads);
  list.Add(p + "ssm_conv1d.weight", {4, channels}, Draw::kNormal, 0.5);
  list.Vector(p + "ssm_dt.bias", s.value_heads, Draw::kTimeStep);
  list.Vector(p + "ssm_a", s.value_heads, Draw::kDecay);
  list.Vector(p + "ssm_norm.weight", kQwenState);
  list.Matrix(p + "ssm_out.weight", values, s.width, true);
}

void AddPhiLayer(const Shape& s, std::uint64_t index, TensorList& list) {
  const std::string p = Format("blk.{}.", index);
  const std::uint64_t head = s.width / s.heads;
  list.Vector(p + "attn_norm.weight", s.width);
  list.Matrix(p + "attn_qkv.weight", s.width, s.width + 2 * s.kv_heads * head);
  list.Matrix(p + "attn_output.weight", s.width, s.width, true);
  list.Vector(p + "ffn_norm.weight", s.width);
  list.Matrix(p + "ffn_up.weight", s.width, 2 * s.ffn);
  list.Matrix(p + "ffn_down.weight", s.ffn, s.width, true);
}

std::vector<Tensor> ListTensors(const Shape& s, const quantize::Mix& mix) {
  TensorList list(s.layers);
  if (s.family == Family::kPhi) {
    const std::uint64_t factors = s.width / s.heads * 3 / 8;
    list.Vector("rope_factors_long.weight", factors, Draw::kRising);
    list.Vector("rope_factors_short.weight", factors, Draw::kOnes);
  }
  list.Matrix("token_embd.weight", s.width, s.vocabulary);
  list.Vector("output_norm.weight", s.width);
  if (!s.tied) {
    list.Matrix("output.weight", s.width, s.vocabulary);
  }
  for (std::uint64_t i = 0; i < s.layers; ++i) {
    if (s.family == Family::kQwen) {
      AddQwenLayer(s, i, list);
    } else {
      AddPhiLayer(s, i, list);
    }
  }
  std::vector<quantize::MixTensor> given;
  for (const Tensor& tensor : list.tensors()) {
    given.push_back({.name = tensor.spec.name, .dims = tensor.spec.dims});
  }
  const std::vector<quantize::MixChoice> choices =
      quantize::ChooseTypes(mix, {.layers = s.layers, .heads_per_kv = s.heads / s.kv_heads}, given);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    list.tensors()[i].spec.type = choices[i].type;
  }
  return std::move(list.tensors());
}

// A vocabulary of the right size: the 256 bytes, the end of a turn, and dummies.
void SetVocabulary(const Shape& s, gguf::Metadata& metadata) {
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {  // the alphabet of byte-level BPE
    const bool shown = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    const int point = shown ? byte : next++;
    std::string text;
    if (point < 0x80) {
      text = static_cast<char>(point);
    } else {
      text += static_cast<char>(0xC0 | point >> 6);
      text += static_cast<char>(0x80 | (point & 0x3F));
    }
    tokens.push_back(std::move(text));
    types.push_back(1);
  }
  tokens.emplace_back(s.family == Family::kQwen ? "<|im_end|>" : "<|end|>");
  types.push_back(3);
  while (tokens.size() < s.vocabulary) {
    tokens.push_back(Format("[PAD{}]", tokens.size()));
    types.push_back(5);
  }
  metadata.SetString("tokenizer.ggml.model", "gpt2");
  metadata.SetString("tokenizer.ggml.pre", s.family == Family::kQwen ? "qwen35" : "gpt-4o");
  metadata.SetStrings("tokenizer.ggml.tokens", tokens);
  metadata.SetInt32s("tokenizer.ggml.token_type", types);
  metadata.SetStrings("tokenizer.ggml.merges", std::vector<std::string>());
  metadata.SetUint32("tokenizer.ggml.eos_token_id", 256);
  metadata.SetString("tokenizer.chat_template",
                     "{% for m in messages %}{{ m.content }}\n{% endfor %}");
}

void SetQwen(const Shape& s, gguf::Metadata& metadata) {
  const std::int32_t sections[] = {11, 11, 10, 0};
  metadata.SetUint32("qwen35.context_length", 262144);
  metadata.SetUint32("qwen35.attention.key_length", kQwenHead);
  metadata.SetUint32("qwen35.attention.value_length", kQwenHead);
  metadata.SetFloat32("qwen35.attention.layer_norm_rms_epsilon", 1e-6F);
  metadata.SetFloat32("qwen35.rope.freq_base", 1e7F);
  metadata.SetUint32("qwen35.rope.dimension_count", 64);
  metadata.SetInt32s("qwen35.rope.dimension_sections", sections);
  metadata.SetUint32("qwen35.ssm.conv_kernel", 4);
  metadata.SetUint32("qwen35.ssm.state_size", kQwenState);
  metadata.SetUint32("qwen35.ssm.group_count", static_cast<std::uint32_t>(s.key_heads));
  metadata.SetUint32("qwen35.ssm.time_step_rank", static_cast<std::uint32_t>(s.value_heads));
  metadata.SetUint32("qwen35.ssm.inner_size",
                     static_cast<std::uint32_t>(s.value_heads * kQwenState));
  metadata.SetUint32("qwen35.full_attention_interval", kQwenInterval);
}

void SetPhi(const Shape& s, gguf::Metadata& metadata) {
  metadata.SetUint32("phi3.context_length", 131072);
  metadata.SetUint32("phi3.rope.scaling.original_context_length", 4096);
  metadata.SetFloat32("phi3.rope.scaling.attn_factor",
                      static_cast<float>(std::sqrt(1 + std::log(32.0) / std::log(4096.0))));
  metadata.SetFloat32("phi3.rope.freq_base", 1e4F);
  metadata.SetFloat32("phi3.attention.layer_norm_rms_epsilon", 1e-5F);
  metadata.SetUint32("phi3.rope.dimension_count",
                     static_cast<std::uint32_t>(s.width / s.heads * 3 / 4));
  metadata.SetUint32("phi3.attention.sliding_window", 262144);
}

gguf::Metadata MakeMetadata(const Shape& s, const quantize::Mix& mix) {
  gguf::Metadata metadata;
  const std::string arch = s.family == Family::kQwen ? "qwen35" : "phi3";
  const auto set = [&](std::string_view key, std::uint64_t value) {
    metadata.SetUint32(Format("{}.{}", arch, key), static_cast<std::uint32_t>(value));
  };
  metadata.SetString("general.architecture", arch);
  metadata.SetString("general.type", "model");
  metadata.SetString("general.name", Format("{} with random weights", s.model.title));
  metadata.SetUint32("general.file_type", mix.file_type);
  metadata.SetUint32("general.quantization_version", 2);
  set("block_count", s.layers);
  set("embedding_length", s.width);
  set("feed_forward_length", s.ffn);
  set("attention.head_count", s.heads);
  set("attention.head_count_kv", s.kv_heads);
  if (s.family == Family::kQwen) {
    SetQwen(s, metadata);
  } else {
    SetPhi(s, metadata);
  }
  SetVocabulary(s, metadata);
  return metadata;
}

/// Where a block keeps its binary16 factors; -1: none.
struct ScaleFields {
  TensorType type;
  int d;
  int dmin;
};
constexpr ScaleFields kScaleFields[] = {
    {TensorType::kQ4_0, 0, -1},   {TensorType::kQ4_1, 0, 2},    {TensorType::kQ5_0, 0, -1},
    {TensorType::kQ5_1, 0, 2},    {TensorType::kQ8_0, 0, -1},   {TensorType::kQ2_K, 80, 82},
    {TensorType::kQ3_K, 108, -1}, {TensorType::kQ4_K, 0, 2},    {TensorType::kQ5_K, 0, 2},
    {TensorType::kQ6_K, 208, -1}, {TensorType::kIQ4_NL, 0, -1}, {TensorType::kIQ4_XS, 0, -1},
};

const ScaleFields* FindFields(TensorType type) {
  const auto* fields = std::find_if(std::begin(kScaleFields), std::end(kScaleFields),
                                    [type](const ScaleFields& f) { return f.type == type; });
  return fields == std::end(kScaleFields) ? nullptr : fields;
}

/// Random blocks of one type. Codes and inner scales are uniform; the outer factors make the
/// decoded numbers as large as asked for.
class BlockSource {
 public:
  BlockSource(TensorType type, double sigma, std::uint64_t seed)
      : format_(*quant::FindFormat(type)), fields_(*FindFields(type)), rng_(seed) {
    // How large they are with factors of 1 is tried out.
    constexpr std::size_t kTried = 256;
    std::vector<std::byte> blocks(kTried * format_.block_bytes);
    Fill(blocks, 1.0F, 0.0F);
    std::vector<float> values(kTried * format_.block_len);
    format_.decode(blocks.data(), kTried, values.data());
    double sum = 0;
    for (const float v : values) {
      sum += static_cast<double>(v);
    }
    const double mean = sum / static_cast<double>(values.size());
    double squares = 0;
    for (const float v : values) {
      squares += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean);
    }
    scale_ = static_cast<float>(sigma / std::sqrt(squares / static_cast<double>(values.size())));
    if (fields_.dmin >= 0) {
      offset_ = MeanOffset(blocks, mean);
    }
  }

  void Next(std::span<std::byte> blocks) { Fill(blocks, scale_, scale_ * offset_); }

 private:
  // The factor of the minima, as a part of d, that brings the mean to zero.
  float MeanOffset(std::vector<std::byte>& blocks, double mean) {
    Fill(blocks, 0.0F, 1.0F);
    const std::size_t count = blocks.size() / format_.block_bytes;
    std::vector<float> values(count * format_.block_len);
    format_.decode(blocks.data(), count, values.data());
    double sum = 0;
    for (const float v : values) {
      sum += static_cast<double>(v);
    }
    return static_cast<float>(-mean / (sum / static_cast<double>(values.size())));
  }

  void Fill(std::span<std::byte> blocks, float d, float dmin) {
    std::size_t i = 0;
    for (; i + sizeof(std::uint64_t) <= blocks.size(); i += sizeof(std::uint64_t)) {
      const std::uint64_t bits = rng_();
      std::memcpy(blocks.data() + i, &bits, sizeof(bits));
    }
    for (; i < blocks.size(); ++i) {
      blocks[i] = static_cast<std::byte>(rng_());
    }
    for (std::size_t at = 0; at < blocks.size(); at += format_.block_bytes) {
      // Codes are not symmetric around zero everywhere: the sign varies.
      const float sign = fields_.dmin < 0 && (rng_() & 1U) != 0 ? -1.0F : 1.0F;
      const std::uint16_t half = FloatToHalf(sign * d);
      std::memcpy(blocks.data() + at + fields_.d, &half, sizeof(half));
      if (fields_.dmin >= 0) {
        const std::uint16_t min_half = FloatToHalf(dmin);
        std::memcpy(blocks.data() + at + fields_.dmin, &min_half, sizeof(min_half));
      }
    }
  }

  const quant::Format& format_;
  const ScaleFields& fields_;
  std::mt19937_64 rng_;
  float scale_ = 1;
  float offset_ = 0;
};

float DrawFloat(const Tensor& tensor, std::size_t index, std::mt19937_64& rng) {
  const auto uniform = [&rng](double low, double high) {
    return static_cast<float>(low + (high - low) * static_cast<double>(rng() >> 11) * 0x1p-53);
  };
  switch (tensor.draw) {
    case Draw::kNorm:
      return uniform(0.9, 1.1);
    case Draw::kDecay:
      return uniform(-16, -1);
    case Draw::kTimeStep:
      return uniform(-7, -2);
    case Draw::kOnes:
      return 1;
    case Draw::kRising:
      return static_cast<float>(std::pow(
          48.0, static_cast<double>(index) / static_cast<double>(tensor.spec.dims[0] - 1)));
    case Draw::kNormal:
      break;
  }
  // Uniform numbers of the same spread are as good here.
  const double half = tensor.sigma * std::sqrt(3.0);
  return uniform(-half, half);
}

std::uint64_t SeedOf(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325;  // FNV-1a
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  }
  return hash;
}

std::uint64_t Elements(const gguf::TensorSpec& spec) {
  std::uint64_t count = 1;
  for (const std::uint64_t dim : spec.dims) {
    count *= dim;
  }
  return count;
}

std::uint64_t TensorBytes(const gguf::TensorSpec& spec) {
  const quant::Format& format = *quant::FindFormat(spec.type);
  return Elements(spec) / format.block_len * format.block_bytes;
}

Status ProduceTensor(const Tensor& tensor, const gguf::ByteSink& sink) {
  const quant::Format& format = *quant::FindFormat(tensor.spec.type);
  const std::uint64_t blocks = Elements(tensor.spec) / format.block_len;
  std::vector<std::byte> bytes;
  std::optional<BlockSource> source;
  std::mt19937_64 rng(SeedOf(tensor.spec.name));
  if (format.block_len > 1) {
    source.emplace(tensor.spec.type, tensor.sigma, SeedOf(tensor.spec.name));
  }
  for (std::uint64_t done = 0; done < blocks;) {
    const std::uint64_t count = std::min<std::uint64_t>(kChunkBlocks, blocks - done);
    bytes.resize(count * format.block_bytes);
    if (source.has_value()) {
      source->Next(bytes);
    } else {
      for (std::uint64_t i = 0; i < count; ++i) {
        const float value = DrawFloat(tensor, done + i, rng);
        if (tensor.spec.type == TensorType::kF32) {
          std::memcpy(bytes.data() + i * sizeof(value), &value, sizeof(value));
        } else {
          const std::uint16_t half =
              tensor.spec.type == TensorType::kF16 ? FloatToHalf(value) : FloatToBf16(value);
          std::memcpy(bytes.data() + i * sizeof(half), &half, sizeof(half));
        }
      }
    }
    TANDEM_RETURN_IF_ERROR(sink(bytes));
    done += count;
  }
  return OkStatus();
}

Result<std::filesystem::path> CacheFolder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    return std::filesystem::path(cache) / "tandem" / "synthetic";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return std::filesystem::path(home) / ".cache" / "tandem" / "synthetic";
  }
  return Status(StatusCode::kNotFound, "no folder for the file: set HOME or XDG_CACHE_HOME");
}

/// Writes bytes one after the other and leaves a hole for zeros.
class HoleyFile {
 public:
  explicit HoleyFile(int fd) : fd_(fd) {}

  Status Write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset_));
      if (count <= 0) {
        return SystemError("write", "the outline of a model", errno);
      }
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      offset_ += static_cast<std::uint64_t>(count);
    }
    return OkStatus();
  }
  void Skip(std::uint64_t bytes) { offset_ += bytes; }
  Status Finish() {
    return ftruncate(fd_, static_cast<off_t>(offset_)) == 0
               ? OkStatus()
               : SystemError("write", "the outline of a model", errno);
  }

 private:
  int fd_;
  std::uint64_t offset_ = 0;
};

Result<const Shape*> NeedShape(std::string_view name) {
  const Shape* shape = FindShape(name);
  if (shape == nullptr) {
    std::string known;
    for (const SyntheticModel& model : SyntheticModels()) {
      known += known.empty() ? std::string(model.name) : Format(", {}", model.name);
    }
    return Status(StatusCode::kInvalidArgument,
                  Format("no shapes of '{}' are known; known: {}", Printable(name), known));
  }
  return shape;
}

}  // namespace

Result<std::unique_ptr<gguf::ModelFile>> OpenOutline(std::string_view name,
                                                     std::string_view quant) {
  constexpr std::uint64_t kSmall = std::uint64_t{1} << 20;  // tensors up to here have numbers
  TANDEM_ASSIGN_OR_RETURN(const Shape* found, NeedShape(name));
  const Shape& shape = *found;
  TANDEM_ASSIGN_OR_RETURN(const quantize::Mix mix, quantize::FindMix(quant));
  const std::vector<Tensor> tensors = ListTensors(shape, mix);
  std::vector<gguf::TensorSpec> specs;
  for (const Tensor& tensor : tensors) {
    specs.push_back(tensor.spec);
  }
  const Descriptor fd(memfd_create("outline", MFD_CLOEXEC));
  if (!fd.open()) {
    return SystemError("make", "the outline of a model", errno);
  }
  HoleyFile file(fd.get());
  const std::vector<std::byte> zeros(kSmall);
  const auto source = [&](std::size_t index, const gguf::ByteSink& sink) -> Status {
    std::uint64_t left = TensorBytes(specs[index]);
    if (left <= kSmall && quant::FindFormat(specs[index].type)->block_len == 1) {
      return ProduceTensor(tensors[index], sink);
    }
    for (; left > 0; left -= std::min(left, kSmall)) {
      TANDEM_RETURN_IF_ERROR(sink(std::span(zeros).first(std::min(left, kSmall))));
    }
    return OkStatus();
  };
  const auto sink = [&](std::span<const std::byte> bytes) -> Status {
    if (bytes.data() == zeros.data()) {
      file.Skip(bytes.size());
      return OkStatus();
    }
    return file.Write(bytes);
  };
  TANDEM_RETURN_IF_ERROR(gguf::Write(MakeMetadata(shape, mix), specs, source, sink));
  TANDEM_RETURN_IF_ERROR(file.Finish());
  return gguf::ModelFile::Open(Format("/proc/self/fd/{}", fd.get()));
}

std::vector<SyntheticModel> SyntheticModels() {
  std::vector<SyntheticModel> models;
  for (const Shape& shape : kShapes) {
    models.push_back(shape.model);
  }
  return models;
}

Result<SyntheticPlan> PlanSynthetic(std::string_view name, std::string_view quant) {
  TANDEM_ASSIGN_OR_RETURN(const Shape* shape, NeedShape(name));
  TANDEM_ASSIGN_OR_RETURN(const quantize::Mix mix, quantize::FindMix(quant));
  SyntheticPlan plan{.name = std::string(name), .quant = std::string(mix.name)};
  for (const Tensor& tensor : ListTensors(*shape, mix)) {
    if (quant::FindFormat(tensor.spec.type)->block_len > 1 &&
        FindFields(tensor.spec.type) == nullptr) {
      return Status(StatusCode::kInvalidArgument, Format("random weights of type {} are not made",
                                                         gguf::Info(tensor.spec.type).name));
    }
    plan.bytes += TensorBytes(tensor.spec);
  }
  TANDEM_ASSIGN_OR_RETURN(const std::filesystem::path folder, CacheFolder());
  std::string file = Format("{}-{}.gguf", plan.name, plan.quant);
  std::replace(file.begin(), file.end(), ':', '-');
  plan.path = folder / file;
  std::error_code error;
  plan.exists = std::filesystem::is_regular_file(plan.path, error);
  return plan;
}

Status MakeSynthetic(const SyntheticPlan& plan,
                     const std::function<void(std::uint64_t bytes)>& progress) {
  const Shape& shape = *FindShape(plan.name);
  TANDEM_ASSIGN_OR_RETURN(const quantize::Mix mix, quantize::FindMix(plan.quant));
  std::error_code error;
  std::filesystem::create_directories(plan.path.parent_path(), error);
  const std::filesystem::space_info space = std::filesystem::space(plan.path.parent_path(), error);
  if (error) {
    return {StatusCode::kIo,
            Format("cannot use the folder '{}': {}",
                   Printable(plan.path.parent_path().native(), 400), error.message())};
  }
  if (space.available < plan.bytes + plan.bytes / 100) {
    return {StatusCode::kOutOfMemory, Format("the file needs {}, but '{}' has {} free",
                                             FormatBytes(static_cast<double>(plan.bytes)),
                                             Printable(plan.path.parent_path().native(), 400),
                                             FormatBytes(static_cast<double>(space.available)))};
  }
  const std::vector<Tensor> tensors = ListTensors(shape, mix);
  std::vector<gguf::TensorSpec> specs;
  for (const Tensor& tensor : tensors) {
    specs.push_back(tensor.spec);
  }
  std::uint64_t done = 0;
  return gguf::WriteFile(plan.path, MakeMetadata(shape, mix), specs,
                         [&](std::size_t index, const gguf::ByteSink& sink) {
                           return ProduceTensor(tensors[index],
                                                [&](std::span<const std::byte> bytes) -> Status {
                                                  done += bytes.size();
                                                  progress(done);
                                                  return sink(bytes);
                                                });
                         });
}

}  // namespace tandem
