#include "plan/spec_sheet.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_set>

#include "base/checked.h"
#include "base/format.h"
#include "plan/file_type.h"

namespace tandem {
namespace {

// In the order in which they are shown.
enum Component : std::size_t {
  kEmbedding,
  kHead,
  kAttention,
  kDeltaNet,
  kFeedForward,
  kNorms,
  kMtp,
  kVision,
  kOther,
  kComponentCount,
};

constexpr std::array<std::string_view, kComponentCount> kComponentNames = {
    "embedding", "output head", "attention", "DeltaNet", "feed-forward",
    "norms",     "MTP",         "vision",    "other"};

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// The N of "blk.N.rest", and the rest.
struct BlockName {
  std::size_t index = 0;
  std::string_view rest;
};

std::optional<BlockName> SplitBlockName(std::string_view name) {
  constexpr std::string_view kPrefix = "blk.";
  if (!name.starts_with(kPrefix)) {
    return std::nullopt;
  }
  BlockName block;
  const char* end = name.data() + name.size();
  const auto [after, error] = std::from_chars(name.data() + kPrefix.size(), end, block.index);
  if (error != std::errc() || after == end || *after != '.') {
    return std::nullopt;
  }
  block.rest = std::string_view(after + 1, static_cast<std::size_t>(end - after - 1));
  return block;
}

// What a tensor belongs to, by its name (models.md 3.2, 3.4 and 3.6; other architectures of the
// same container use the same names).
class ComponentFinder {
 public:
  /// `mtp_from`: the first block of multi-token prediction.
  ComponentFinder(const gguf::File& file, std::size_t mtp_from) : mtp_from_(mtp_from) {
    for (const gguf::TensorInfo& tensor : file.tensors()) {
      const std::optional<BlockName> block = SplitBlockName(tensor.name);
      if (block.has_value() && block->rest.starts_with("ssm_")) {
        recurrent_.insert(block->index);
      }
    }
  }

  Component Find(std::string_view name) const {
    const std::optional<BlockName> block = SplitBlockName(name);
    if (!block.has_value()) {
      return FindGlobal(name);
    }
    if (block->index >= mtp_from_ || block->rest.starts_with("nextn.")) {
      return kMtp;
    }
    if (block->rest.starts_with("ffn_") && !Contains(block->rest, "norm")) {
      return kFeedForward;
    }
    const bool inner_norm = block->rest.starts_with("attn_q_norm") ||
                            block->rest.starts_with("attn_k_norm") ||
                            block->rest.starts_with("ssm_norm");
    if (Contains(block->rest, "norm") && !inner_norm) {
      return kNorms;
    }
    if (block->rest.starts_with("ssm_") || recurrent_.contains(block->index)) {
      return kDeltaNet;
    }
    return block->rest.starts_with("attn_") ? kAttention : kOther;
  }

 private:
  static Component FindGlobal(std::string_view name) {
    if (name.starts_with("v.") || name.starts_with("mm.")) {
      return kVision;
    }
    if (name.starts_with("mtp.")) {
      return kMtp;
    }
    if (name.starts_with("token_embd.")) {
      return kEmbedding;
    }
    if (name == "output.weight" || name == "output.bias") {
      return kHead;
    }
    return Contains(name, "norm") ? kNorms : kOther;
  }

  std::size_t mtp_from_;
  std::unordered_set<std::size_t> recurrent_;
};

// Sums of sizes are far below 2^64: the parser has checked that the tensors lie in the file, and no
// format packs more than 16 values into a byte.
void CountTensors(const gguf::File& file, const ComponentFinder& finder, SpecSheet& sheet) {
  std::array<ComponentSize, kComponentCount> components;
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    const std::uint64_t parameters = tensor.elements();
    const std::uint64_t bytes = tensor.bytes.size();
    sheet.parameters += parameters;
    sheet.weight_bytes += bytes;
    ComponentSize& component = components[finder.Find(tensor.name)];
    component.parameters += parameters;
    component.bytes += bytes;
    auto format = std::find_if(sheet.formats.begin(), sheet.formats.end(),
                               [&](const FormatShare& f) { return f.type == tensor.type; });
    if (format == sheet.formats.end()) {
      format = sheet.formats.insert(format, FormatShare{.type = tensor.type});
    }
    format->tensors += 1;
    format->parameters += parameters;
    format->bytes += bytes;
  }
  sheet.tensor_count = file.tensors().size();
  for (std::size_t i = 0; i < kComponentCount; ++i) {
    if (components[i].parameters > 0) {
      components[i].name = kComponentNames[i];
      sheet.components.push_back(components[i]);
    }
  }
  std::stable_sort(sheet.formats.begin(), sheet.formats.end(),
                   [](const FormatShare& a, const FormatShare& b) { return a.bytes > b.bytes; });
}

// Reads the keys of one architecture; "head_count" becomes "phi3.attention.head_count".
class ShapeReader {
 public:
  ShapeReader(const gguf::File& file, std::string_view architecture)
      : file_(file), architecture_(architecture) {}

  // A number that later products can trust: at most 2^31.
  Result<std::size_t> Number(std::string_view key) const {
    const std::string full = Format("{}.{}", architecture_, key);
    TANDEM_ASSIGN_OR_RETURN(const std::uint64_t value, file_.GetUint(full));
    return Checked(full, value);
  }

  Result<std::size_t> NumberOr(std::string_view key, std::size_t otherwise) const {
    const std::string full = Format("{}.{}", architecture_, key);
    TANDEM_ASSIGN_OR_RETURN(const std::uint64_t value, file_.GetUintOr(full, otherwise));
    return Checked(full, value);
  }

 private:
  Result<std::size_t> Checked(const std::string& key, std::uint64_t value) const {
    if (value > (std::uint64_t{1} << 31)) {
      return Status(StatusCode::kCorrupt,
                    Format("{}: {} is {}, more than any model has", file_.name(), key, value));
    }
    return static_cast<std::size_t>(value);
  }

  const gguf::File& file_;
  std::string_view architecture_;
};

Status TooLarge(const gguf::File& file) {
  return {StatusCode::kCorrupt,
          Format("{}: the sizes in its metadata multiply to more than 2^64", file.name())};
}

// keys and values of all attention layers, and the fixed state (models.md 2.7).
Status SetCacheSizes(const gguf::File& file, std::uint64_t state_values_per_layer,
                     NetworkShape& shape) {
  const auto heads = CheckedMul(shape.kv_heads, shape.head_width * 2);
  const auto values = CheckedMul(heads.value_or(0), shape.attention_layers);
  const auto layer_bytes = CheckedMul(state_values_per_layer, sizeof(float));
  const auto state = CheckedMul(layer_bytes.value_or(0), shape.recurrent_layers);
  // Sixteen times the values still has to fit: callers multiply by a format's size.
  if (!heads || !values || !layer_bytes || !state || !CheckedMul(*values, 16)) {
    return TooLarge(file);
  }
  shape.kv_values_per_token = *values;
  shape.state_bytes = *state;
  return OkStatus();
}

Status ReadCommonShape(const ShapeReader& reader, NetworkShape& shape) {
  TANDEM_ASSIGN_OR_RETURN(shape.width, reader.Number("embedding_length"));
  TANDEM_ASSIGN_OR_RETURN(shape.ffn_width, reader.Number("feed_forward_length"));
  TANDEM_ASSIGN_OR_RETURN(shape.context_limit, reader.Number("context_length"));
  TANDEM_ASSIGN_OR_RETURN(shape.heads, reader.Number("attention.head_count"));
  return OkStatus();
}

Result<NetworkShape> ReadPhi3Shape(const gguf::File& file) {
  const ShapeReader reader(file, "phi3");
  NetworkShape shape;
  TANDEM_RETURN_IF_ERROR(ReadCommonShape(reader, shape));
  TANDEM_ASSIGN_OR_RETURN(shape.kv_heads, reader.NumberOr("attention.head_count_kv", shape.heads));
  TANDEM_ASSIGN_OR_RETURN(shape.attention_layers, reader.Number("block_count"));
  shape.head_width = shape.heads == 0 ? 0 : shape.width / shape.heads;
  TANDEM_RETURN_IF_ERROR(SetCacheSizes(file, 0, shape));
  return shape;
}

// One number, or one per layer with zeros on the recurrent ones.
Result<std::size_t> ReadKvHeads(const gguf::File& file, const ShapeReader& reader) {
  constexpr std::string_view kKey = "qwen35.attention.head_count_kv";
  const gguf::Value* value = file.Find(kKey);
  if (value == nullptr || value->type() != gguf::ValueType::kArray) {
    return reader.Number("attention.head_count_kv");
  }
  TANDEM_ASSIGN_OR_RETURN(const std::vector<std::int64_t> each, file.GetIntArray(kKey));
  const std::int64_t most = each.empty() ? 0 : *std::max_element(each.begin(), each.end());
  return static_cast<std::size_t>(std::clamp<std::int64_t>(most, 0, std::int64_t{1} << 31));
}

Result<std::size_t> CountAttentionLayers(const gguf::File& file, const ShapeReader& reader,
                                         std::size_t layers) {
  if (file.Has("qwen35.attention.recurrent_layers")) {
    TANDEM_ASSIGN_OR_RETURN(const std::vector<bool> recurrent,
                            file.GetBoolArray("qwen35.attention.recurrent_layers"));
    const std::size_t listed = std::min(layers, recurrent.size());
    const auto end = recurrent.begin() + static_cast<std::ptrdiff_t>(listed);
    return layers - static_cast<std::size_t>(std::count(recurrent.begin(), end, true));
  }
  TANDEM_ASSIGN_OR_RETURN(const std::size_t interval,
                          reader.NumberOr("full_attention_interval", 4));
  return interval == 0 ? layers : layers / interval;
}

Result<NetworkShape> ReadQwen35Shape(const gguf::File& file) {
  const ShapeReader reader(file, "qwen35");
  NetworkShape shape;
  TANDEM_RETURN_IF_ERROR(ReadCommonShape(reader, shape));
  TANDEM_ASSIGN_OR_RETURN(const std::size_t blocks, reader.Number("block_count"));
  TANDEM_ASSIGN_OR_RETURN(shape.mtp_layers, reader.NumberOr("nextn_predict_layers", 0));
  const std::size_t layers = blocks > shape.mtp_layers ? blocks - shape.mtp_layers : 0;
  TANDEM_ASSIGN_OR_RETURN(shape.attention_layers, CountAttentionLayers(file, reader, layers));
  shape.recurrent_layers = layers - shape.attention_layers;
  TANDEM_ASSIGN_OR_RETURN(shape.kv_heads, ReadKvHeads(file, reader));
  const std::size_t even_width = shape.heads == 0 ? 0 : shape.width / shape.heads;
  TANDEM_ASSIGN_OR_RETURN(shape.head_width, reader.NumberOr("attention.key_length", even_width));
  TANDEM_ASSIGN_OR_RETURN(const std::size_t kernel, reader.Number("ssm.conv_kernel"));
  TANDEM_ASSIGN_OR_RETURN(const std::size_t state, reader.Number("ssm.state_size"));
  TANDEM_ASSIGN_OR_RETURN(const std::size_t groups, reader.Number("ssm.group_count"));
  TANDEM_ASSIGN_OR_RETURN(const std::size_t inner, reader.Number("ssm.inner_size"));
  // Per value head a state x state matrix; kernel - 1 past inputs of every convolution channel.
  const auto keys = CheckedMul(2 * state, groups);
  const auto channels = CheckedAdd(keys.value_or(0), inner);
  const auto past = CheckedMul(channels.value_or(0), kernel == 0 ? 0 : kernel - 1);
  const auto total = CheckedAdd(past.value_or(0), std::uint64_t{inner} * state);
  if (!keys || !channels || !past || !total) {
    return TooLarge(file);
  }
  TANDEM_RETURN_IF_ERROR(SetCacheSizes(file, *total, shape));
  return shape;
}

struct KnownShape {
  std::string_view architecture;
  Result<NetworkShape> (*read)(const gguf::File& file);
};

constexpr KnownShape kKnownShapes[] = {
    {"qwen35", &ReadQwen35Shape},
    {"phi3", &ReadPhi3Shape},
};

struct TokenKey {
  std::string_view role;
  std::string_view key;
};

constexpr TokenKey kTokenKeys[] = {
    {"bos", "tokenizer.ggml.bos_token_id"},     {"eos", "tokenizer.ggml.eos_token_id"},
    {"eot", "tokenizer.ggml.eot_token_id"},     {"pad", "tokenizer.ggml.padding_token_id"},
    {"unk", "tokenizer.ggml.unknown_token_id"},
};

Status ReadTokens(const gguf::File& file, SpecSheet& sheet) {
  if (!file.Has("tokenizer.ggml.tokens")) {
    return OkStatus();
  }
  TANDEM_ASSIGN_OR_RETURN(const std::vector<std::string_view> tokens,
                          file.GetStringArray("tokenizer.ggml.tokens"));
  sheet.vocabulary = tokens.size();
  for (const TokenKey& token : kTokenKeys) {
    if (!file.Has(token.key)) {
      continue;
    }
    TANDEM_ASSIGN_OR_RETURN(const std::uint64_t id, file.GetUint(token.key));
    if (id >= tokens.size()) {
      return {StatusCode::kCorrupt, Format("{}: {} is {}, but there are {} tokens", file.name(),
                                           token.key, id, tokens.size())};
    }
    sheet.special_tokens.push_back(
        {.role = token.role, .id = id, .text = std::string(tokens[static_cast<std::size_t>(id)])});
  }
  return OkStatus();
}

Status ReadGeneral(const gguf::ModelFile& file, SpecSheet& sheet) {
  TANDEM_ASSIGN_OR_RETURN(const std::string_view architecture,
                          file.GetString("general.architecture"));
  TANDEM_ASSIGN_OR_RETURN(const std::string_view title, file.GetStringOr("general.name", ""));
  TANDEM_ASSIGN_OR_RETURN(const std::string_view chat_template,
                          file.GetStringOr("tokenizer.chat_template", ""));
  sheet.architecture = architecture;
  sheet.title = title;
  sheet.template_bytes = chat_template.size();
  sheet.has_thinking_switch = Contains(chat_template, "enable_thinking");
  sheet.file_bytes = file.file_bytes();
  if (file.Has("general.file_type")) {
    TANDEM_ASSIGN_OR_RETURN(const std::uint64_t file_type, file.GetUint("general.file_type"));
    sheet.file_type = FileTypeName(file_type);
  }
  return OkStatus();
}

}  // namespace

std::uint64_t NetworkShape::KvBytesPerToken(gguf::TensorType format) const {
  const gguf::TensorTypeInfo& info = gguf::Info(format);
  return kv_values_per_token / info.block_len * info.block_bytes;
}

Result<SpecSheet> ReadSpecSheet(const gguf::ModelFile& file) {
  SpecSheet sheet;
  TANDEM_RETURN_IF_ERROR(ReadGeneral(file, sheet));
  std::size_t mtp_from = static_cast<std::size_t>(-1);
  for (const KnownShape& known : kKnownShapes) {
    if (known.architecture == sheet.architecture) {
      TANDEM_ASSIGN_OR_RETURN(sheet.shape, known.read(file));
      mtp_from = sheet.shape->attention_layers + sheet.shape->recurrent_layers;
    }
  }
  CountTensors(file, ComponentFinder(file, mtp_from), sheet);
  TANDEM_RETURN_IF_ERROR(ReadTokens(file, sheet));
  return sheet;
}

}  // namespace tandem
