#include "quantize/mix.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "base/format.h"

namespace tandem::quantize {
namespace {

using gguf::TensorType;

// llama.cpp's numbers of file types.
enum FileType : std::uint32_t {
  kAllF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ8_0 = 7,
  kQ5_0 = 8,
  kQ5_1 = 9,
  kQ2_K = 10,
  kQ3_K_S = 11,
  kQ3_K_M = 12,
  kQ3_K_L = 13,
  kQ4_K_S = 14,
  kQ4_K_M = 15,
  kQ5_K_S = 16,
  kQ5_K_M = 17,
  kQ6_K = 18,
  kQ2_K_S = 21,
  kIQ4_NL = 25,
  kIQ4_XS = 30,
  kBF16 = 32,
};

// clang-format off
constexpr Mix kMixes[] = {
    {"Q2_K_S", kQ2_K_S, TensorType::kQ2_K,   "smallest; needs --imatrix"},
    {"Q2_K",   kQ2_K,   TensorType::kQ2_K,   "very small, large loss"},
    {"Q3_K_S", kQ3_K_S, TensorType::kQ3_K,   "very small, large loss"},
    {"Q3_K_M", kQ3_K_M, TensorType::kQ3_K,   "small, noticeable loss"},
    {"Q3_K_L", kQ3_K_L, TensorType::kQ3_K,   "small, noticeable loss"},
    {"IQ4_XS", kIQ4_XS, TensorType::kIQ4_XS, "the smallest with little loss"},
    {"IQ4_NL", kIQ4_NL, TensorType::kIQ4_NL, "as IQ4_XS for rows that are no multiple of 256"},
    {"Q4_0",   kQ4_0,   TensorType::kQ4_0,   "plain and fast; more loss than Q4_K_S at its size"},
    {"Q4_K_S", kQ4_K_S, TensorType::kQ4_K,   "small, little loss"},
    {"Q4_1",   kQ4_1,   TensorType::kQ4_1,   "plain; prefer Q4_K_M"},
    {"Q4_K_M", kQ4_K_M, TensorType::kQ4_K,   "the usual choice"},
    {"Q5_0",   kQ5_0,   TensorType::kQ5_0,   "plain; prefer Q5_K_S"},
    {"Q5_K_S", kQ5_K_S, TensorType::kQ5_K,   "very little loss"},
    {"Q5_K_M", kQ5_K_M, TensorType::kQ5_K,   "very little loss"},
    {"Q5_1",   kQ5_1,   TensorType::kQ5_1,   "plain; prefer Q5_K_M"},
    {"Q6_K",   kQ6_K,   TensorType::kQ6_K,   "hardly any loss"},
    {"Q8_0",   kQ8_0,   TensorType::kQ8_0,   "as good as the original in practice"},
    {"F16",    kF16,    TensorType::kF16,    "no loss unless values are beyond 65504"},
    {"BF16",   kBF16,   TensorType::kBF16,   "no loss for checkpoints in bfloat16"},
    {"F32",    kAllF32, TensorType::kF32,    "no loss, for comparisons"},
};
// clang-format on

struct Alias {
  std::string_view name;
  std::string_view means;
};
constexpr Alias kAliases[] = {{"Q3_K", "Q3_K_M"}, {"Q4_K", "Q4_K_M"}, {"Q5_K", "Q5_K_M"}};

bool SameName(std::string_view a, std::string_view b) {
  const auto upper = [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return upper(x) == upper(y); });
}

bool Contains(std::string_view name, std::string_view part) {
  return name.find(part) != std::string_view::npos;
}

// Parts of the names of matrices that keep their type: gates of experts, convolutions, positions,
// RWKV's small tables, pieces of vision and audio towers.
constexpr std::string_view kKept[] = {
    "_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_tid2eid.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "ssm_conv1d",
    "shortconv.conv.weight",
    "indexer.k_proj.weight",
    "indexer.q_proj.weight",
    "time_mix_first.weight",
    "time_mix_w0.weight",
    "time_mix_w1.weight",
    "time_mix_w2.weight",
    "time_mix_v0.weight",
    "time_mix_v1.weight",
    "time_mix_v2.weight",
    "time_mix_a0.weight",
    "time_mix_a1.weight",
    "time_mix_a2.weight",
    "time_mix_g1.weight",
    "time_mix_g2.weight",
    "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight",
    "attn_rel_b.weight",
    ".position_embd",
    "sam.pos_embd",
    "sam.neck.",
    "sam.net_",
    ".rel_pos",
    ".patch_embd",
    ".patch_merger",
    "a.rvq.codebook",
    "mm.a.code_embd",
};

bool IsFloatType(TensorType type) {
  return type == TensorType::kF32 || type == TensorType::kF16 || type == TensorType::kBF16;
}

bool IsEmbedding(std::string_view name) {
  return name == "token_embd.weight" || name == "per_layer_token_embd.weight";
}

/// The layer in "blk.N.", or -1.
int LayerOf(std::string_view name) {
  if (!name.starts_with("blk.")) {
    return -1;
  }
  int layer = 0;
  std::size_t at = 4;
  for (; at < name.size() && name[at] >= '0' && name[at] <= '9' && at < 10; ++at) {
    layer = 10 * layer + (name[at] - '0');
  }
  return at > 4 && at < name.size() && name[at] == '.' ? layer : -1;
}

/// A vision tower inside the model's file. Towers are read in Q8_0 and the float types only, and a
/// text says nothing about what they lose.
bool IsVision(std::string_view name) {
  return name.starts_with("v.") || name.starts_with("mm.");
}

/// The rules of one mix, tensor by tensor in llama.cpp's order: some count what came before.
class Rules {
 public:
  Rules(const Mix& mix, const MixModel& model, std::span<const MixTensor> tensors)
      : mix_(mix), model_(model) {
    for (const MixTensor& tensor : tensors) {
      values_ += IsValue(tensor.name) ? 1U : 0U;
      tied_ = tied_ && tensor.name != "output.weight";
    }
  }

  TensorType Next(const MixTensor& tensor) {
    if (IsVision(tensor.name)) {
      return TensorType::kQ8_0;
    }
    if (tensor.name == "output.weight" || (tied_ && IsEmbedding(tensor.name))) {
      return Output(tensor);
    }
    if (IsEmbedding(tensor.name)) {
      return mix_.base;
    }
    if (IsValue(tensor.name)) {
      return Value(value_++);
    }
    if (Contains(tensor.name, "attn_output.weight")) {
      return AttentionOutput();
    }
    if (Contains(tensor.name, "ffn_down")) {
      return Down(down_++);
    }
    return mix_.base;
  }

 private:
  /// Matrices that make values: what they lose is not smoothed by a softmax.
  static bool IsValue(std::string_view name) {
    return !IsVision(name) &&
           (Contains(name, "attn_qkv.weight") || Contains(name, "attn_kv_b.weight") ||
            Contains(name, "attn_v.weight"));
  }

  bool Is(FileType type) const { return mix_.file_type == type; }
  /// The first and the last eighth of the layers and every third between.
  static bool MoreBits(std::size_t i, std::size_t count) {
    return i < count / 8 || i >= 7 * count / 8 || (i - count / 8) % 3 == 2;
  }

  TensorType Output(const MixTensor& tensor) const {
    const bool divides = tensor.dims[0] % gguf::Info(mix_.base).block_len == 0;
    return divides && mix_.base != TensorType::kQ8_0 ? TensorType::kQ6_K : TensorType::kQ8_0;
  }

  TensorType Value(std::size_t i) const {
    const bool shared = model_.heads_per_kv >= 4;
    switch (mix_.file_type) {
      case kQ2_K:
        return shared ? TensorType::kQ4_K : TensorType::kQ3_K;
      case kQ2_K_S:
        return shared ? TensorType::kQ4_K : mix_.base;
      case kQ3_K_M:
        return i < 2 ? TensorType::kQ5_K : TensorType::kQ4_K;
      case kQ3_K_L:
        return TensorType::kQ5_K;
      case kQ4_K_S:
        return i < 4 ? TensorType::kQ5_K : mix_.base;
      case kQ4_K_M:
      case kQ5_K_M:
        return MoreBits(i, values_) ? TensorType::kQ6_K : mix_.base;
      case kIQ4_NL:
      case kIQ4_XS:
        return shared ? TensorType::kQ5_K : mix_.base;
      default:
        return mix_.base;
    }
  }

  TensorType AttentionOutput() const {
    switch (mix_.file_type) {
      case kQ2_K:
        return TensorType::kQ3_K;
      case kQ3_K_M:
        return TensorType::kQ4_K;
      case kQ3_K_L:
        return TensorType::kQ5_K;
      default:
        return mix_.base;
    }
  }

  TensorType Down(std::size_t i) const {
    const bool early = i < model_.layers / 8;
    switch (mix_.file_type) {
      case kQ2_K:
        return TensorType::kQ3_K;
      case kQ2_K_S:
        return early ? TensorType::kQ4_K : mix_.base;
      case kQ3_K_M:
        return i < model_.layers / 16 ? TensorType::kQ5_K : TensorType::kQ4_K;
      case kQ3_K_L:
        return TensorType::kQ5_K;
      case kQ4_K_S:
        return early ? TensorType::kQ5_K : mix_.base;
      case kQ4_K_M:
      case kQ5_K_M:
        return MoreBits(i, model_.layers) ? TensorType::kQ6_K : mix_.base;
      case kIQ4_NL:
      case kIQ4_XS:
        return early && !model_.has_importance ? TensorType::kQ5_K : mix_.base;
      case kQ4_0:
        return early && model_.has_importance ? TensorType::kQ4_1 : mix_.base;
      case kQ5_0:
        return early && model_.has_importance ? TensorType::kQ5_1 : mix_.base;
      default:
        return mix_.base;
    }
  }

  const Mix& mix_;
  const MixModel& model_;
  std::size_t values_ = 0;
  bool tied_ = true;
  std::size_t value_ = 0;
  std::size_t down_ = 0;
};

/// llama.cpp's order: outside the layers first, then layer by layer, by name.
std::vector<std::size_t> RuleOrder(std::span<const MixTensor> tensors) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const int layer_a = LayerOf(tensors[a].name);
    const int layer_b = LayerOf(tensors[b].name);
    return layer_a != layer_b ? layer_a < layer_b : tensors[a].name < tensors[b].name;
  });
  return order;
}

}  // namespace

std::span<const Mix> Mixes() {
  return kMixes;
}

Result<Mix> FindMix(std::string_view name) {
  const auto* alias = std::find_if(std::begin(kAliases), std::end(kAliases),
                                   [&](const Alias& a) { return SameName(a.name, name); });
  const std::string_view wanted = alias != std::end(kAliases) ? alias->means : name;
  std::string known;
  for (const Mix& mix : kMixes) {
    if (SameName(mix.name, wanted)) {
      return mix;
    }
    known += Format("{}{}", known.empty() ? "" : ", ", mix.name);
  }
  return Status(StatusCode::kInvalidArgument,
                Format("unknown type '{}'; known: {}", Printable(name), known));
}

bool IsQuantisable(const MixTensor& tensor) {
  const auto wide = [](std::uint64_t dim) { return dim > 1; };
  const bool matrix =
      tensor.dims.size() > 1 && std::any_of(tensor.dims.begin() + 1, tensor.dims.end(), wide);
  return matrix && tensor.name.ends_with("weight") && tensor.name != "position_embd.weight" &&
         tensor.name != "token_types.weight" &&
         std::none_of(std::begin(kKept), std::end(kKept),
                      [&](std::string_view part) { return Contains(tensor.name, part); });
}

TensorType FallbackFor(TensorType wanted, std::uint64_t length) {
  const auto fits = [&](TensorType type) { return length % gguf::Info(type).block_len == 0; };
  if (fits(wanted)) {
    return wanted;
  }
  TensorType type = TensorType::kF16;
  switch (wanted) {
    case TensorType::kIQ4_XS:
      type = TensorType::kIQ4_NL;
      break;
    case TensorType::kQ2_K:
    case TensorType::kQ3_K:
      type = TensorType::kQ4_0;
      break;
    case TensorType::kQ4_K:
      type = TensorType::kQ5_0;
      break;
    case TensorType::kQ5_K:
      type = TensorType::kQ5_1;
      break;
    case TensorType::kQ6_K:
      type = TensorType::kQ8_0;
      break;
    default:
      break;
  }
  return fits(type) ? type : TensorType::kF16;
}

std::vector<MixChoice> ChooseTypes(const Mix& mix, const MixModel& model,
                                   std::span<const MixTensor> tensors) {
  std::vector<MixChoice> choices(tensors.size());
  Rules rules(mix, model, tensors);
  for (const std::size_t i : RuleOrder(tensors)) {
    const MixTensor& tensor = tensors[i];
    if (!IsQuantisable(tensor)) {
      choices[i] = {tensor.type, tensor.type};
      continue;
    }
    const TensorType wanted = IsFloatType(mix.base) ? mix.base : rules.Next(tensor);
    choices[i] = {FallbackFor(wanted, tensor.dims[0]), wanted};
  }
  return choices;
}

bool NeedsImportance(const Mix& mix, std::string_view tensor, TensorType type) {
  return mix.file_type == kQ2_K_S && type == TensorType::kQ2_K && !IsEmbedding(tensor) &&
         tensor != "output.weight";
}

}  // namespace tandem::quantize
