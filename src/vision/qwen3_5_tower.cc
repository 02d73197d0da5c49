// The vision tower of Qwen3.5: a transformer over patches with learned positions (resampled to the
// picture's grid) and two-dimensional rotary embedding, then a merger of 2 x 2 patches. Papers:
// arXiv:2010.11929 (ViT), arXiv:2104.09864 (rotary). Reference code: transformers,
// models/qwen3_5/modeling_qwen3_5.py, Qwen3_5VisionModel.
//
// Dimension key: N patches at hand, C patches of one chunk, P values of a patch, E tower width, F
// feed-forward width, M rows of the merger (4 patches each) and their width 4 E, O width of the
// language model, R rotary frequencies.

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/format.h"
#include "base/half.h"
#include "model/weights.h"
#include "quant/formats.h"
#include "vision/tower.h"

namespace tandem {
namespace {

// Patches that go through all layers together: whole steps in time, at least one.
constexpr std::size_t kBatchPatches = 4096;
constexpr std::size_t kMostLayers = 1024;
constexpr std::size_t kMostHeadDim = 512;

struct Linear {
  QMat w_OI;
  std::span<const float> bias_O;
};

struct Norm {
  std::span<const float> gain_E;
  std::span<const float> bias_E;
};

struct Block {
  Norm mix_norm;
  Linear q;
  Linear k;
  Linear v;
  Linear out;
  Norm ffn_norm;
  Linear up;
  Linear down;
};

struct Weights {
  AlignedBuffer<std::byte> patch;  // what patch_EP is over
  QMat patch_EP;                   // values in the order of FillPatches
  std::span<const float> patch_bias_E;
  std::span<const float> positions;  // [side * side, E]
  std::vector<Block> blocks;
  Norm merge_norm;
  Linear merge_up;
  Linear merge_down;
  std::vector<AlignedBuffer<float>> owned;
};

/// Finds tensors and keys under either layout's name.
class TowerReader {
 public:
  explicit TowerReader(const gguf::File& file) : file_(file), weights_(file) {
    const Result<std::string_view> architecture = file.GetString("general.architecture");
    prefix_ = file.Has("clip.vision.block_count") || !architecture.ok()
                  ? "clip.vision."
                  : Format("{}.vision.", *architecture);
  }

  const gguf::File& file() const { return file_; }
  std::string Key(std::string_view name) const { return Format("{}{}", prefix_, name); }
  bool Has(const std::string& tensor) const { return weights_.Has(tensor); }

  /// The first of the names that the file has, or the first.
  std::string Pick(std::initializer_list<std::string> names) const {
    for (const std::string& name : names) {
      if (weights_.Has(name + ".weight")) {
        return name;
      }
    }
    return *names.begin();
  }

  Result<Linear> ReadLinear(const std::string& name, std::size_t rows, std::size_t cols) {
    Linear linear;
    TANDEM_ASSIGN_OR_RETURN(linear.w_OI, weights_.Matrix(name + ".weight", rows, cols));
    TANDEM_ASSIGN_OR_RETURN(linear.bias_O, weights_.Vector(name + ".bias", rows));
    return linear;
  }
  Result<Norm> ReadNorm(const std::string& name, std::size_t n) {
    Norm norm;
    TANDEM_ASSIGN_OR_RETURN(norm.gain_E, weights_.Vector(name + ".weight", n));
    TANDEM_ASSIGN_OR_RETURN(norm.bias_E, weights_.Vector(name + ".bias", n));
    return norm;
  }
  Result<std::span<const float>> Vector(const std::string& name, std::size_t n) {
    return weights_.Vector(name, n);
  }

  /// All values of a tensor of any number of dimensions.
  Result<std::vector<float>> Values(const std::string& name, std::size_t n) const {
    const gguf::TensorInfo* tensor = file_.FindTensor(name);
    if (tensor == nullptr) {
      return Status(StatusCode::kNotFound,
                    Format("{}: tensor '{}' is missing", file_.name(), name));
    }
    const quant::Format* format = quant::FindFormat(tensor->type);
    if (tensor->elements() != n || format == nullptr || n % format->block_len != 0) {
      return Status(
          StatusCode::kCorrupt,
          Format("{}: tensor '{}' has {} values of type {}, expected {} numbers", file_.name(),
                 name, tensor->elements(), gguf::Info(tensor->type).name, n));
    }
    std::vector<float> values(n);
    format->decode(tensor->bytes.data(), n / format->block_len, values.data());
    return values;
  }

  std::vector<AlignedBuffer<float>> TakeOwned() { return weights_.TakeOwned(); }

 private:
  const gguf::File& file_;
  WeightReader weights_;
  std::string prefix_;
};

Status CheckKind(const gguf::File& file, const TowerReader& reader) {
  TANDEM_ASSIGN_OR_RETURN(const std::string_view kind,
                          file.GetStringOr("clip.projector_type", "qwen3vl_merger"));
  if (kind != "qwen3vl_merger") {
    return {StatusCode::kUnsupported,
            Format("{}: a vision tower of type '{}' cannot be run (known: qwen3vl_merger)",
                   file.name(), Printable(kind))};
  }
  for (const char* name : {"image_mean", "image_std"}) {
    const std::string key = reader.Key(name);
    if (!file.Has(key)) {
      continue;
    }
    TANDEM_ASSIGN_OR_RETURN(const std::vector<float> values, file.GetFloatArray(key));
    if (std::any_of(values.begin(), values.end(), [](float v) { return v != 0.5F; })) {
      return {StatusCode::kUnsupported,
              Format("{}: {} is not 0.5 for every colour, which cannot be run", file.name(), key)};
    }
  }
  const std::string deepstack = reader.Key("is_deepstack_layers");
  if (file.Has(deepstack)) {
    TANDEM_ASSIGN_OR_RETURN(const std::vector<bool> layers, file.GetBoolArray(deepstack));
    if (std::find(layers.begin(), layers.end(), true) != layers.end()) {
      return {StatusCode::kUnsupported,
              Format("{}: its vision tower feeds several layers of the language model (deepstack), "
                     "which Qwen3.5 does not do",
                     file.name())};
    }
  }
  return OkStatus();
}

// The feed-forward width and the model's come from tensors, since merged files leave them out.
Result<std::size_t> RowsOf(const TowerReader& reader, const std::string& name) {
  const gguf::TensorInfo* tensor = reader.file().FindTensor(name);
  if (tensor == nullptr) {
    return Status(StatusCode::kNotFound,
                  Format("{}: tensor '{}' is missing", reader.file().name(), name));
  }
  return static_cast<std::size_t>(tensor->dims[1]);
}

Result<TowerConfig> ReadConfig(const TowerReader& reader) {
  const gguf::File& file = reader.file();
  TANDEM_RETURN_IF_ERROR(CheckKind(file, reader));
  TowerConfig c;
  TANDEM_ASSIGN_OR_RETURN(c.layers, file.GetUint(reader.Key("block_count")));
  TANDEM_ASSIGN_OR_RETURN(c.width, file.GetUint(reader.Key("embedding_length")));
  TANDEM_ASSIGN_OR_RETURN(c.heads, file.GetUint(reader.Key("attention.head_count")));
  TANDEM_ASSIGN_OR_RETURN(c.shape.patch, file.GetUintOr(reader.Key("patch_size"), 16));
  TANDEM_ASSIGN_OR_RETURN(c.shape.merge, file.GetUintOr(reader.Key("spatial_merge_size"), 2));
  TANDEM_ASSIGN_OR_RETURN(c.eps,
                          file.GetFloatOr(reader.Key("attention.layer_norm_epsilon"), 1e-6F));
  TANDEM_ASSIGN_OR_RETURN(const float base, file.GetFloatOr(reader.Key("rope.freq_base"), 10'000));
  c.rope_base = static_cast<double>(base);
  const bool sound = c.layers > 0 && c.layers <= kMostLayers && c.heads > 0 && c.width > 0 &&
                     c.width % c.heads == 0 && c.head_dim() % 4 == 0 &&
                     c.head_dim() <= kMostHeadDim && c.shape.patch > 0 && c.shape.patch <= 256 &&
                     c.shape.merge > 0 && c.shape.merge <= 16;
  if (!sound) {
    return Status(StatusCode::kCorrupt,
                  Format("{}: a vision tower of {} layers, width {}, {} heads, patches of {} and "
                         "blocks of {} does not fit together",
                         file.name(), c.layers, c.width, c.heads, c.shape.patch, c.shape.merge));
  }
  TANDEM_ASSIGN_OR_RETURN(
      c.ffn, RowsOf(reader, reader.Pick({"v.blk.0.ffn_up", "v.blk.0.mlp.linear_fc1"}) + ".weight"));
  TANDEM_ASSIGN_OR_RETURN(c.out_width,
                          RowsOf(reader, reader.Pick({"mm.2", "v.merger.linear_fc2"}) + ".weight"));
  TANDEM_ASSIGN_OR_RETURN(
      const std::size_t positions,
      RowsOf(reader, reader.Pick({"v.position_embd", "v.pos_embed"}) + ".weight"));
  c.position_side =
      static_cast<std::size_t>(std::nearbyint(std::sqrt(static_cast<double>(positions))));
  if (c.position_side == 0 || c.position_side * c.position_side != positions) {
    return Status(StatusCode::kCorrupt,
                  Format("{}: {} learned positions are no square", file.name(), positions));
  }
  return c;
}

// Rows of one third of a matrix that holds queries, keys and values.
Linear Third(const Linear& qkv, std::size_t index, std::size_t width) {
  Linear part = qkv;
  part.w_OI.data = qkv.w_OI.Row(index * width);
  part.w_OI.rows = width;
  part.bias_O = qkv.bias_O.subspan(index * width, width);
  return part;
}

Status ReadAttention(TowerReader& reader, const TowerConfig& c, const std::string& prefix,
                     Block& block) {
  const std::size_t e = c.width;
  if (reader.Has(prefix + "attn_q.weight")) {
    TANDEM_ASSIGN_OR_RETURN(block.q, reader.ReadLinear(prefix + "attn_q", e, e));
    TANDEM_ASSIGN_OR_RETURN(block.k, reader.ReadLinear(prefix + "attn_k", e, e));
    TANDEM_ASSIGN_OR_RETURN(block.v, reader.ReadLinear(prefix + "attn_v", e, e));
  } else {
    TANDEM_ASSIGN_OR_RETURN(const Linear qkv, reader.ReadLinear(prefix + "attn_qkv", 3 * e, e));
    block.q = Third(qkv, 0, e);
    block.k = Third(qkv, 1, e);
    block.v = Third(qkv, 2, e);
  }
  TANDEM_ASSIGN_OR_RETURN(block.out, reader.ReadLinear(prefix + "attn_out", e, e));
  return OkStatus();
}

Result<Block> ReadBlock(TowerReader& reader, const TowerConfig& c, std::size_t index) {
  const std::string prefix = Format("v.blk.{}.", index);
  const auto pick = [&](std::string_view a, std::string_view b) {
    return reader.Pick({Format("{}{}", prefix, a), Format("{}{}", prefix, b)});
  };
  Block block;
  TANDEM_ASSIGN_OR_RETURN(block.mix_norm, reader.ReadNorm(pick("ln1", "norm1"), c.width));
  TANDEM_RETURN_IF_ERROR(ReadAttention(reader, c, prefix, block));
  TANDEM_ASSIGN_OR_RETURN(block.ffn_norm, reader.ReadNorm(pick("ln2", "norm2"), c.width));
  TANDEM_ASSIGN_OR_RETURN(block.up,
                          reader.ReadLinear(pick("ffn_up", "mlp.linear_fc1"), c.ffn, c.width));
  TANDEM_ASSIGN_OR_RETURN(block.down,
                          reader.ReadLinear(pick("ffn_down", "mlp.linear_fc2"), c.width, c.ffn));
  return block;
}

// Keeps the patch embedding as F16 where that holds every value, whatever the file's type (layouts
// differ in it, answers must not), else as F32.
void SetPatchWeights(std::span<const float> patch, std::size_t width, Weights& w) {
  std::vector<std::uint16_t> halves;
  halves.reserve(patch.size());
  for (const float value : patch) {
    const std::uint16_t half = FloatToHalf(value);
    if (HalfToFloat(half) != value) {
      break;
    }
    halves.push_back(half);
  }
  const bool is_half = halves.size() == patch.size();
  const std::span<const std::byte> bytes =
      is_half ? std::as_bytes(std::span(halves)) : std::as_bytes(patch);
  const std::size_t size = bytes.size() / patch.size();
  w.patch = AlignedBuffer<std::byte>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), w.patch.data());
  const std::size_t cols = patch.size() / width;
  w.patch_EP = {.data = w.patch.data(),
                .type = is_half ? gguf::TensorType::kF16 : gguf::TensorType::kF32,
                .rows = width,
                .cols = cols,
                .row_bytes = cols * size};
}

// The patch embedding as one matrix over a patch's values, whichever way a file cuts the
// convolution: two slices in time [E, 3, y, x], or whole [E, 3, 2, y, x].
Status ReadPatchEmbedding(TowerReader& reader, const TowerConfig& c, Weights& w) {
  const std::size_t plane = c.shape.patch * c.shape.patch;
  const std::size_t values = PatchValues(c.shape);
  AlignedBuffer<float> patch(c.width * values);
  const std::string name = reader.Pick({"v.patch_embd", "v.patch_embed"});
  if (reader.Has("v.patch_embd.weight.1")) {
    for (std::size_t slot = 0; slot < kFramesPerStep; ++slot) {
      const std::string slice = slot == 0 ? name + ".weight" : Format("{}.weight.{}", name, slot);
      TANDEM_ASSIGN_OR_RETURN(const std::vector<float> from,
                              reader.Values(slice, c.width * 3 * plane));
      for (std::size_t i = 0; i < c.width * 3; ++i) {
        std::copy_n(from.data() + i * plane, plane,
                    patch.data() + (i * kFramesPerStep + slot) * plane);
      }
    }
  } else {
    TANDEM_ASSIGN_OR_RETURN(const std::vector<float> from,
                            reader.Values(name + ".weight", c.width * values));
    std::copy(from.begin(), from.end(), patch.data());
  }
  SetPatchWeights(patch.span(), c.width, w);
  TANDEM_ASSIGN_OR_RETURN(w.patch_bias_E, reader.Vector(name + ".bias", c.width));
  return OkStatus();
}

/// Where the patches of one batch lie and what their layers need.
struct Batch {
  std::size_t first = 0;  // patch of the whole grid
  std::size_t patches = 0;
  AlignedBuffer<float> x;  // [N, E]
  AlignedBuffer<float> q;  // [N, E]: queries, then what attention gives
  AlignedBuffer<float> k;  // [N, E]
  AlignedBuffer<float> v;  // [N, E]
  AlignedBuffer<float> cosines;
  AlignedBuffer<float> sines;
  std::vector<RowSpan> steps;  // one per step in time
  // Of one chunk.
  AlignedBuffer<float> norm;  // [C, E]
  AlignedBuffer<float> wide;  // [C, F] or [C, P] or [M, 4 E]
};

class Qwen35Tower final : public VisionTower {
 public:
  Qwen35Tower(const TowerConfig& config, Weights weights)
      : config_(config), weights_(std::move(weights)) {}

  const TowerConfig& config() const override { return config_; }
  std::size_t widest_input() const override {
    return std::max(
        {PatchValues(config_.shape), config_.ffn, config_.patches_per_token() * config_.width});
  }
  Status Encode(Ops& ops, const PreparedMedia& media, Mat<float> out_NE,
                const std::atomic<bool>* cancel, const TowerProgress& on_progress) const override;
  std::uint64_t working_bytes(std::uint64_t patches) const override;

 private:
  Batch NewBatch(const PreparedMedia& media, std::size_t first_step, std::size_t steps) const;
  void Embed(Ops& ops, const PreparedMedia& media, Batch& b) const;
  void AddPosition(const PatchGrid& grid, std::size_t index, float* x_E) const;
  void FillRotary(const PatchGrid& grid, Batch& b) const;
  void Project(Ops& ops, const Block& block, std::size_t begin, std::size_t count, Batch& b) const;
  void Attend(Ops& ops, const Block& block, Batch& b) const;
  void FeedForward(Ops& ops, const Block& block, Batch& b) const;
  void Merge(Ops& ops, Batch& b, Mat<float> out_NO) const;

  Mat<float> X(const Batch& b) const { return View(b.x, b.patches, config_.width); }
  Mat<float> Q(const Batch& b) const { return View(b.q, b.patches, config_.width); }
  static Mat<float> View(const AlignedBuffer<float>& buffer, std::size_t rows, std::size_t cols) {
    // A batch's buffers are written through views of it.
    return Mat<float>(const_cast<float*>(buffer.data()), rows, cols);
  }

  TowerConfig config_;
  Weights weights_;
};

void Multiply(Ops& ops, Mat<const float> x, const Linear& linear, Mat<float> y) {
  const MatMulTask task{&linear.w_OI, y, linear.bias_O};
  ops.WideMatMul(x, {&task, 1});
}

// Calls run(begin, count) for consecutive chunks of `rows`.
template <typename Run>
void ForChunks(std::size_t rows, Run run) {
  for (std::size_t begin = 0; begin < rows; begin += kTowerRows) {
    run(begin, std::min(kTowerRows, rows - begin));
  }
}

// Calls run(begin, count) for parts of `rows` rows on the device's threads.
template <typename Run>
void ForParts(Ops& ops, std::size_t rows, Run run) {
  constexpr std::size_t kPartRows = 32;  // enough to be worth handing over
  ops.ForEach((rows + kPartRows - 1) / kPartRows, [&](std::size_t i) {
    run(i * kPartRows, std::min(kPartRows, rows - i * kPartRows));
  });
}

// What NewBatch holds, and the keys and values of the heads that attention has at hand.
std::uint64_t Qwen35Tower::working_bytes(std::uint64_t patches) const {
  const std::uint64_t e = config_.width;
  const std::uint64_t chunk = std::min<std::uint64_t>(kTowerRows, patches);
  const std::uint64_t rows = patches * (4 * e + config_.head_dim() + 2 * config_.head_dim());
  return sizeof(float) * (rows + chunk * (e + widest_input()) +
                          patches / config_.patches_per_token() * config_.out_width);
}

Status Qwen35Tower::Encode(Ops& ops, const PreparedMedia& media, Mat<float> out_NE,
                           const std::atomic<bool>* cancel,
                           const TowerProgress& on_progress) const {
  const std::size_t per_step = media.grid.patches_per_step();
  const std::size_t per_token = config_.patches_per_token();
  TANDEM_CHECK(out_NE.rows * per_token == media.grid.patches() && out_NE.cols == config_.out_width,
               "a row for each block of patches");
  const std::size_t together = std::max<std::size_t>(1, kBatchPatches / per_step);
  const std::size_t batches = (media.grid.t + together - 1) / together;
  std::size_t done = 0;
  for (std::size_t step = 0; step < media.grid.t; step += together) {
    Batch b = NewBatch(media, step, std::min(together, media.grid.t - step));
    Embed(ops, media, b);
    for (const Block& block : weights_.blocks) {
      if (cancel != nullptr && cancel->load(std::memory_order_relaxed)) {
        return {StatusCode::kCancelled, "cancelled while looking at a picture"};
      }
      if (on_progress) {
        on_progress(done++, batches * weights_.blocks.size());
      }
      Attend(ops, block, b);
      FeedForward(ops, block, b);
    }
    Merge(ops, b, out_NE.RowRange(b.first / per_token, b.patches / per_token));
  }
  return OkStatus();
}

Batch Qwen35Tower::NewBatch(const PreparedMedia& media, std::size_t first_step,
                            std::size_t steps) const {
  const std::size_t per_step = media.grid.patches_per_step();
  const std::size_t e = config_.width;
  Batch b;
  b.first = first_step * per_step;
  b.patches = steps * per_step;
  b.x = AlignedBuffer<float>(b.patches * e);
  b.q = AlignedBuffer<float>(b.patches * e);
  b.k = AlignedBuffer<float>(b.patches * e);
  b.v = AlignedBuffer<float>(b.patches * e);
  const std::size_t chunk = std::min(kTowerRows, b.patches);
  b.norm = AlignedBuffer<float>(chunk * e);
  b.wide = AlignedBuffer<float>(
      chunk * std::max({config_.ffn, config_.patches_per_token() * e, PatchValues(config_.shape)}));
  for (std::size_t s = 0; s < steps; ++s) {
    b.steps.push_back({.begin = s * per_step, .rows = per_step});
  }
  FillRotary(media.grid, b);
  return b;
}

void Qwen35Tower::Embed(Ops& ops, const PreparedMedia& media, Batch& b) const {
  ForChunks(b.patches, [&](std::size_t begin, std::size_t count) {
    const Mat<float> patches_CP(b.wide.data(), count, weights_.patch_EP.cols);
    ForParts(ops, count, [&](std::size_t part, std::size_t rows) {
      FillPatches(media, config_.shape, b.first + begin + part, patches_CP.RowRange(part, rows));
    });
    const Mat<float> x_CE = X(b).RowRange(begin, count);
    const MatMulTask task{&weights_.patch_EP, x_CE, weights_.patch_bias_E};
    ops.WideMatMul(patches_CP, {&task, 1});
    ForParts(ops, count, [&](std::size_t part, std::size_t rows) {
      for (std::size_t i = part; i < part + rows; ++i) {
        AddPosition(media.grid, b.first + begin + i, x_CE.Row(i));
      }
    });
  });
}

/// Two learned positions beside a coordinate, and how much each counts.
struct Taps {
  std::size_t at[2];
  double weight[2];
};

// Coordinate i of n stretched over `side` positions, corners on corners.
Taps TapsOf(std::size_t i, std::size_t n, std::size_t side) {
  const double place =
      n > 1 ? static_cast<double>(i) * static_cast<double>(side - 1) / static_cast<double>(n - 1)
            : 0;
  const auto low = std::min(static_cast<std::size_t>(place), side - 1);
  const double part = place - static_cast<double>(low);
  return {{low, std::min(low + 1, side - 1)}, {1 - part, part}};
}

void Qwen35Tower::AddPosition(const PatchGrid& grid, std::size_t index, float* x_E) const {
  const std::size_t side = config_.position_side;
  const PatchPlace place = PlaceOf(index % grid.patches_per_step(), grid, config_.shape.merge);
  const Taps rows = TapsOf(place.row, grid.h, side);
  const Taps cols = TapsOf(place.col, grid.w, side);
  const float* from[4];
  double weight[4];
  for (std::size_t k = 0; k < 4; ++k) {
    const std::size_t at = rows.at[k / 2] * side + cols.at[k % 2];
    from[k] = weights_.positions.data() + at * config_.width;
    weight[k] = rows.weight[k / 2] * cols.weight[k % 2];
  }
  for (std::size_t e = 0; e < config_.width; ++e) {
    double sum = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      sum += weight[k] * static_cast<double>(from[k][e]);
    }
    x_E[e] += static_cast<float>(sum);
  }
}

// Half the frequencies turn with the row, the other half with the column.
void Qwen35Tower::FillRotary(const PatchGrid& grid, Batch& b) const {
  const std::size_t half = config_.head_dim() / 4;
  const std::size_t longest = std::max(grid.h, grid.w);
  std::vector<float> cosines(longest * half);
  std::vector<float> sines(longest * half);
  for (std::size_t j = 0; j < half; ++j) {
    const double frequency =
        std::pow(config_.rope_base, -static_cast<double>(j) / static_cast<double>(half));
    for (std::size_t i = 0; i < longest; ++i) {
      cosines[i * half + j] = static_cast<float>(std::cos(static_cast<double>(i) * frequency));
      sines[i * half + j] = static_cast<float>(std::sin(static_cast<double>(i) * frequency));
    }
  }
  b.cosines = AlignedBuffer<float>(b.patches * 2 * half);
  b.sines = AlignedBuffer<float>(b.patches * 2 * half);
  for (std::size_t i = 0; i < b.patches; ++i) {
    const PatchPlace place =
        PlaceOf((b.first + i) % grid.patches_per_step(), grid, config_.shape.merge);
    const std::size_t to = i * 2 * half;
    std::copy_n(cosines.data() + place.row * half, half, b.cosines.data() + to);
    std::copy_n(cosines.data() + place.col * half, half, b.cosines.data() + to + half);
    std::copy_n(sines.data() + place.row * half, half, b.sines.data() + to);
    std::copy_n(sines.data() + place.col * half, half, b.sines.data() + to + half);
  }
}

// Queries, keys and values of a chunk.
void Qwen35Tower::Project(Ops& ops, const Block& block, std::size_t begin, std::size_t count,
                          Batch& b) const {
  const std::size_t e = config_.width;
  const std::size_t d = config_.head_dim();
  const Mat<float> n_CE = View(b.norm, count, e);
  ops.LayerNorm(X(b).RowRange(begin, count), block.mix_norm.gain_E, block.mix_norm.bias_E,
                config_.eps, n_CE);
  const Mat<float> q_CE = Q(b).RowRange(begin, count);
  const Mat<float> k_CE = View(b.k, b.patches, e).RowRange(begin, count);
  const Mat<float> v_CE = View(b.v, b.patches, e).RowRange(begin, count);
  const MatMulTask tasks[] = {{&block.q.w_OI, q_CE, block.q.bias_O},
                              {&block.k.w_OI, k_CE, block.k.bias_O},
                              {&block.v.w_OI, v_CE, block.v.bias_O}};
  ops.WideMatMul(n_CE, tasks);
  const Mat<const float> cos_NR = View(b.cosines, b.patches, d / 2);
  const Mat<const float> sin_NR = View(b.sines, b.patches, d / 2);
  const RopeArgs rope{cos_NR.RowRange(begin, count), sin_NR.RowRange(begin, count)};
  ops.HeadNormRopeInPlace(q_CE, config_.heads, d, d, {}, 0, rope);
  ops.HeadNormRopeInPlace(k_CE, config_.heads, d, d, {}, 0, rope);
}

void Qwen35Tower::Attend(Ops& ops, const Block& block, Batch& b) const {
  const std::size_t d = config_.head_dim();
  ForChunks(b.patches,
            [&](std::size_t begin, std::size_t count) { Project(ops, block, begin, count, b); });
  ops.FullAttention({.q_NE = Q(b),
                     .k_NE = View(b.k, b.patches, config_.width),
                     .v_NE = View(b.v, b.patches, config_.width),
                     .heads = config_.heads,
                     .head_dim = d,
                     .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(d))),
                     .pictures = b.steps},
                    Q(b));
  ForChunks(b.patches, [&](std::size_t begin, std::size_t count) {
    const Mat<float> mix_CE = View(b.norm, count, config_.width);
    Multiply(ops, Q(b).RowRange(begin, count), block.out, mix_CE);
    ops.AddTo(mix_CE, X(b).RowRange(begin, count));
  });
}

void Qwen35Tower::FeedForward(Ops& ops, const Block& block, Batch& b) const {
  ForChunks(b.patches, [&](std::size_t begin, std::size_t count) {
    const Mat<float> x_CE = X(b).RowRange(begin, count);
    const Mat<float> n_CE = View(b.norm, count, config_.width);
    const Mat<float> up_CF = View(b.wide, count, config_.ffn);
    ops.LayerNorm(x_CE, block.ffn_norm.gain_E, block.ffn_norm.bias_E, config_.eps, n_CE);
    Multiply(ops, n_CE, block.up, up_CF);
    ops.GeluInPlace(Gelu::kTanh, up_CF);
    Multiply(ops, up_CF, block.down, n_CE);
    ops.AddTo(n_CE, x_CE);
  });
}

void Qwen35Tower::Merge(Ops& ops, Batch& b, Mat<float> out_NO) const {
  ops.LayerNorm(X(b), weights_.merge_norm.gain_E, weights_.merge_norm.bias_E, config_.eps, Q(b));
  const std::size_t m = config_.patches_per_token() * config_.width;
  const Mat<float> blocks_NM(b.q.data(), out_NO.rows, m);
  ForChunks(out_NO.rows, [&](std::size_t begin, std::size_t count) {
    const Mat<float> up_CM = View(b.wide, count, m);
    Multiply(ops, blocks_NM.RowRange(begin, count), weights_.merge_up, up_CM);
    ops.GeluInPlace(Gelu::kErf, up_CM);
    Multiply(ops, up_CM, weights_.merge_down, out_NO.RowRange(begin, count));
  });
}

}  // namespace

bool HasVisionTower(const gguf::File& file) {
  return file.FindTensor("v.patch_embd.weight") != nullptr ||
         file.FindTensor("v.patch_embed.weight") != nullptr;
}

Result<std::unique_ptr<VisionTower>> LoadVisionTower(const gguf::File& file) {
  TowerReader reader(file);
  TANDEM_ASSIGN_OR_RETURN(const TowerConfig c, ReadConfig(reader));
  Weights w;
  TANDEM_RETURN_IF_ERROR(ReadPatchEmbedding(reader, c, w));
  TANDEM_ASSIGN_OR_RETURN(w.positions,
                          reader.Vector(reader.Pick({"v.position_embd", "v.pos_embed"}) + ".weight",
                                        c.position_side * c.position_side * c.width));
  for (std::size_t i = 0; i < c.layers; ++i) {
    TANDEM_ASSIGN_OR_RETURN(Block block, ReadBlock(reader, c, i));
    w.blocks.push_back(block);
  }
  const std::size_t merged = c.patches_per_token() * c.width;
  TANDEM_ASSIGN_OR_RETURN(w.merge_norm,
                          reader.ReadNorm(reader.Pick({"v.post_ln", "v.merger.norm"}), c.width));
  TANDEM_ASSIGN_OR_RETURN(
      w.merge_up, reader.ReadLinear(reader.Pick({"mm.0", "v.merger.linear_fc1"}), merged, merged));
  TANDEM_ASSIGN_OR_RETURN(
      w.merge_down,
      reader.ReadLinear(reader.Pick({"mm.2", "v.merger.linear_fc2"}), c.out_width, merged));
  w.owned = reader.TakeOwned();
  return std::unique_ptr<VisionTower>(std::make_unique<Qwen35Tower>(c, std::move(w)));
}

}  // namespace tandem
