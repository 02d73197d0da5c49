#include <algorithm>
#include <vector>

#include "base/format.h"
#include "base/thread_pool.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/kv_page.h"
#include "kernels/cpu/matmul.h"
#include "kernels/cpu/vision_rows.h"
#include "kernels/ops.h"
#include "quant/formats.h"

namespace tandem {
namespace {

// From this many rows of a sequence on, threads share the storing of their keys and values.
constexpr std::size_t kStoreTogether = 8;
// Tasks of full attention per thread, at least, between two waits for all of them.
constexpr std::size_t kFullTasksPerThread = 8;
// Channels per task of the convolution.
constexpr std::size_t kConvChannels = 512;
// Heads below this width are computed by the reference kernels.
constexpr std::size_t kNarrowHead = 64;

static_assert(kMaxHeadDim == cpu::kAttentionMaxDim);

std::size_t Parts(std::size_t n, std::size_t size) {
  return (n + size - 1) / size;
}

class CpuOps final : public Ops {
 public:
  CpuOps(const cpu::KernelTable& table, const CpuOptions& options)
      : table_(table),
        pool_(options.threads, options.pin ? Pinning::kCores : Pinning::kNone),
        matmul_(table_, pool_, options.max_rows, options.max_cols),
        hook_(options.matmul_hook),
        scratch_(options.threads * cpu::kScratchBytes) {
    cpu::InstallScalar(&scalar_);
    for (std::size_t worker = 0; worker < options.threads; ++worker) {
      worker_scratch_.push_back(scratch_.data() + worker * cpu::kScratchBytes);
    }
  }

  void Embed(const QMat& table_VE, std::span<const TokenId> ids, Mat<float> x_TE) override {
    TANDEM_CHECK(ids.size() == x_TE.rows && table_VE.cols == x_TE.cols, "embedding shapes");
    const quant::Format& format = *quant::FindFormat(table_VE.type);
    pool_.Run(ids.size(), [&](std::size_t t, std::size_t) {
      if (ids[t] >= 0) {
        TANDEM_CHECK(static_cast<std::size_t>(ids[t]) < table_VE.rows,
                     "token id past the vocabulary");
        format.decode(table_VE.Row(static_cast<std::size_t>(ids[t])),
                      table_VE.cols / format.block_len, x_TE.Row(t));
      }
    });
  }

  void RmsNorm(Mat<const float> x_TE, std::span<const float> gain_E, float eps,
               Mat<float> y_TE) override {
    TANDEM_CHECK(gain_E.size() == x_TE.cols && y_TE.rows == x_TE.rows && y_TE.cols == x_TE.cols,
                 "norm shapes");
    ForRows(x_TE.rows, [&](std::size_t t) {
      table_.rms_norm(x_TE.Row(t), gain_E.data(), x_TE.cols, eps, y_TE.Row(t));
    });
  }

  void AddTo(Mat<const float> x_TE, Mat<float> y_TE) override {
    TANDEM_CHECK(y_TE.rows == x_TE.rows && y_TE.cols == x_TE.cols, "sum shapes");
    ForRows(x_TE.rows, [&](std::size_t t) { table_.add(x_TE.Row(t), y_TE.Row(t), x_TE.cols); });
  }

  void LayerNorm(Mat<const float> x_TE, std::span<const float> gain_E,
                 std::span<const float> bias_E, float eps, Mat<float> y_TE) override {
    TANDEM_CHECK(gain_E.size() == x_TE.cols && bias_E.size() == x_TE.cols &&
                     y_TE.rows == x_TE.rows && y_TE.cols == x_TE.cols,
                 "norm shapes");
    ForRows(x_TE.rows, [&](std::size_t t) {
      table_.layer_norm(x_TE.Row(t), gain_E.data(), bias_E.data(), x_TE.cols, eps, y_TE.Row(t));
    });
  }

  void GeluInPlace(Gelu kind, Mat<float> x_TF) override {
    TANDEM_CHECK(x_TF.cols * sizeof(float) <= cpu::kScratchBytes,
                 "a row must fit the scratch memory");
    pool_.Run(x_TF.rows, [&](std::size_t t, std::size_t worker) {
      auto* scratch = reinterpret_cast<float*>(worker_scratch_[worker]);
      cpu::GeluRow(table_, kind, x_TF.Row(t), x_TF.cols, scratch);
    });
  }

  void MatMul(Mat<const float> x_TI, std::span<const MatMulTask> tasks) override {
    if (hook_) {
      hooked_tasks_.assign(tasks.begin(), tasks.end());
      hook_(x_TI, hooked_tasks_);
      tasks = hooked_tasks_;
    }
    matmul_.Run(x_TI, tasks, worker_scratch_);
  }

  void WideMatMul(Mat<const float> x_TI, std::span<const MatMulTask> tasks) override {
    matmul_.RunWide(x_TI, tasks, worker_scratch_);
  }

  void SwiGluInPlace(Mat<float> gate_TF, Mat<const float> up_TF) override {
    TANDEM_CHECK(gate_TF.rows == up_TF.rows && gate_TF.cols == up_TF.cols, "gate and up shapes");
    ForRows(gate_TF.rows,
            [&](std::size_t t) { table_.swiglu(gate_TF.Row(t), up_TF.Row(t), gate_TF.cols); });
  }

  void HeadNormRopeInPlace(Mat<float> x_TX, std::size_t heads, std::size_t head_stride,
                           std::size_t head_dim, std::span<const float> gain_D, float eps,
                           const RopeArgs& rope) override {
    TANDEM_CHECK((heads - 1) * head_stride + head_dim <= x_TX.cols, "heads past the row");
    TANDEM_CHECK(rope.cos_TR.rows == x_TX.rows && 2 * rope.cos_TR.cols <= head_dim,
                 "rotary table shape");
    ForRows(x_TX.rows, [&](std::size_t t) {
      for (std::size_t h = 0; h < heads; ++h) {
        float* head = x_TX.Row(t) + h * head_stride;
        if (!gain_D.empty()) {
          table_.rms_norm(head, gain_D.data(), head_dim, eps, head);
        }
        table_.rope(head, rope.cos_TR.Row(t), rope.sin_TR.Row(t), rope.cos_TR.cols);
      }
    });
  }

  void KvAppend(Mat<const float> k_TK, Mat<const float> v_TK, std::size_t kv_heads,
                std::size_t head_dim, std::span<const KvSegment> segments) override {
    TANDEM_CHECK(k_TK.cols == kv_heads * head_dim && v_TK.cols == k_TK.cols,
                 "key and value shapes");
    for (const KvSegment& segment : segments) {
      // A task is one head's part of a page: keys of neighbouring positions share cache lines.
      const std::size_t first_page = segment.past / kKvPageTokens;
      const std::size_t pages = Parts(segment.past + segment.rows, kKvPageTokens) - first_page;
      const auto store = [&](std::size_t task, std::size_t) {
        StoreInPage(k_TK, v_TK, segment, first_page + task / kv_heads, task % kv_heads, head_dim);
      };
      if (segment.rows < kStoreTogether) {
        for (std::size_t task = 0; task < pages * kv_heads; ++task) {
          store(task, 0);
        }
      } else {
        pool_.Run(pages * kv_heads, store);
      }
    }
  }

  void Attention(const AttentionArgs& args, Mat<float> out_TQ) override {
    TANDEM_CHECK(args.heads % args.kv_heads == 0, "query heads must share key-value heads evenly");
    TANDEM_CHECK(out_TQ.cols == args.heads * args.head_dim && out_TQ.rows == args.q_TQ.rows,
                 "attention shapes");
    std::size_t tasks = 0;
    for (const KvSegment& segment : args.segments) {
      tasks += Parts(segment.rows, RowsTogether(args)) * args.kv_heads;
    }
    pool_.Run(tasks, [&](std::size_t task, std::size_t worker) {
      std::size_t s = 0;
      std::size_t blocks = Parts(args.segments[0].rows, RowsTogether(args));
      while (task >= blocks * args.kv_heads) {
        task -= blocks * args.kv_heads;
        blocks = Parts(args.segments[++s].rows, RowsTogether(args));
      }
      // The last rows see the most keys: start with them, so that no worker is left with a long one
      // at the end.
      const std::size_t block = blocks - 1 - task / args.kv_heads;
      AttendBlock(args, args.segments[s], block, task % args.kv_heads, worker, out_TQ);
    });
  }

  void FullAttention(const FullAttentionArgs& args, Mat<float> out_NE) override {
    const std::size_t width = args.heads * args.head_dim;
    TANDEM_CHECK(args.q_NE.cols == width && args.k_NE.cols == width && args.v_NE.cols == width &&
                     out_NE.cols == width && out_NE.rows == args.q_NE.rows &&
                     args.head_dim <= cpu::kAttentionMaxDim && args.k_NE.stride == args.v_NE.stride,
                 "attention shapes");
    for (const RowSpan& picture : args.pictures) {
      const std::size_t tasks = Parts(picture.rows, cpu::kFullRows);
      // Few heads at a time, so that their packed keys and values are small.
      const std::size_t together = std::clamp<std::size_t>(
          kFullTasksPerThread * pool_.size() / std::max<std::size_t>(tasks, 1), 1, args.heads);
      for (std::size_t head = 0; head < args.heads; head += together) {
        AttendFully(args, picture, head, std::min(together, args.heads - head), out_NE);
      }
    }
  }

  void SigmoidGateInPlace(Mat<float> x_TQ, std::size_t heads, std::size_t head_dim,
                          Mat<const float> gate_TX, std::size_t gate_head_stride) override {
    TANDEM_CHECK(x_TQ.cols == heads * head_dim && gate_TX.rows == x_TQ.rows, "gate shapes");
    ForRows(x_TQ.rows, [&](std::size_t t) {
      for (std::size_t h = 0; h < heads; ++h) {
        table_.sigmoid_gate(x_TQ.Row(t) + h * head_dim, gate_TX.Row(t) + h * gate_head_stride,
                            head_dim);
      }
    });
  }

  void ConvSilu(Mat<const float> x_TC, Mat<const float> w_C4, std::span<const ConvSegment> segments,
                Mat<float> y_TC) override {
    TANDEM_CHECK(w_C4.rows == x_TC.cols && w_C4.cols == 4 && w_C4.stride == 4,
                 "convolution weight shape");
    const std::size_t blocks = (x_TC.cols + kConvChannels - 1) / kConvChannels;
    pool_.Run(segments.size() * blocks, [&](std::size_t task, std::size_t) {
      const ConvSegment& segment = segments[task / blocks];
      const std::size_t begin = task % blocks * kConvChannels;
      table_.conv_silu({.x = x_TC.data + segment.row_begin * x_TC.stride,
                        .x_stride = x_TC.stride,
                        .w_C4 = w_C4.data,
                        .rows = segment.rows,
                        .channels = x_TC.cols,
                        .begin = begin,
                        .end = std::min(x_TC.cols, begin + kConvChannels),
                        .state_3C = segment.state_3C,
                        .snapshots = segment.snapshots.empty() ? nullptr : segment.snapshots.data(),
                        .y = y_TC.data + segment.row_begin * y_TC.stride,
                        .y_stride = y_TC.stride});
    });
  }

  void GatedDelta(const DeltaArgs& args, Mat<float> out_TV) override {
    const std::size_t dim = args.head_dim;
    TANDEM_CHECK(args.qkv_TC.cols == (2 * args.key_heads + args.value_heads) * dim,
                 "delta rule input shape");
    TANDEM_CHECK(args.value_heads % args.key_heads == 0 && out_TV.cols == args.value_heads * dim,
                 "delta rule heads");
    pool_.Run(args.segments.size() * args.value_heads, [&](std::size_t task, std::size_t worker) {
      const DeltaSegment& segment = args.segments[task / args.value_heads];
      const std::size_t head = task % args.value_heads;
      const float* row = args.qkv_TC.data + segment.row_begin * args.qkv_TC.stride;
      // Narrow heads belong to tiny models: there the reference kernel's sums in double cost
      // nothing.
      const auto delta = dim < kNarrowHead ? scalar_.delta : table_.delta;
      delta({.q = row + head % args.key_heads * dim,
             .k = row + (args.key_heads + head % args.key_heads) * dim,
             .v = row + (2 * args.key_heads + head) * dim,
             .qkv_stride = args.qkv_TC.stride,
             .beta = args.beta_TH.data + segment.row_begin * args.beta_TH.stride + head,
             .beta_stride = args.beta_TH.stride,
             .alpha = args.alpha_TH.data + segment.row_begin * args.alpha_TH.stride + head,
             .alpha_stride = args.alpha_TH.stride,
             .a = args.a_H[head],
             .dt = args.dt_H[head],
             .rows = segment.rows,
             .dim = dim,
             .state = segment.state_HDD + head * dim * dim,
             .snapshots = segment.snapshots.empty() ? nullptr : segment.snapshots.data(),
             .snapshot_offset = head * dim * dim,
             .out = out_TV.data + segment.row_begin * out_TV.stride + head * dim,
             .out_stride = out_TV.stride,
             .scratch = worker_scratch_[worker]});
    });
  }

  void GatedHeadNormInPlace(Mat<float> x_TV, Mat<const float> z_TV, std::span<const float> gain_D,
                            float eps) override {
    TANDEM_CHECK(x_TV.rows == z_TV.rows && x_TV.cols == z_TV.cols && x_TV.cols % gain_D.size() == 0,
                 "norm shapes");
    ForRows(x_TV.rows, [&](std::size_t t) {
      for (std::size_t h = 0; h < x_TV.cols; h += gain_D.size()) {
        table_.gated_norm(x_TV.Row(t) + h, z_TV.Row(t) + h, gain_D.data(), gain_D.size(), eps);
      }
    });
  }

  void ForEach(std::size_t n, FunctionRef<void(std::size_t)> body) override {
    pool_.Run(n, [&](std::size_t i, std::size_t) { body(i); });
  }

  std::string_view isa() const override { return table_.name; }
  std::size_t threads() const override { return pool_.size(); }
  std::size_t scratch_bytes() const override { return scratch_.size() + matmul_.scratch_bytes(); }

 private:
  template <typename F>
  void ForRows(std::size_t rows, F&& f) {
    pool_.Run(rows, [&](std::size_t t, std::size_t) { f(t); });
  }

  // The rows of `segment` that fall into a page, for one KV head.
  void StoreInPage(Mat<const float> k_TK, Mat<const float> v_TK, const KvSegment& segment,
                   std::size_t page, std::size_t head, std::size_t head_dim) {
    const KvType type = segment.kv.type;
    const std::size_t part_bytes = kKvPageTokens * KvRowBytes(type, head_dim);
    std::byte* keys = segment.kv.pages[page] + segment.kv.layer_offset + head * part_bytes;
    std::byte* values = keys + k_TK.cols / head_dim * part_bytes;
    const std::size_t begin = std::max(page * kKvPageTokens, segment.past);
    const std::size_t end = std::min((page + 1) * kKvPageTokens, segment.past + segment.rows);
    alignas(64) std::byte row[cpu::kAttentionMaxDim * sizeof(float)];
    for (std::size_t position = begin; position < end; ++position) {
      const std::size_t from = segment.row_begin + position - segment.past;
      const std::size_t slot = position % kKvPageTokens;
      table_.kv_store(static_cast<int>(type), k_TK.Row(from) + head * head_dim, head_dim, row);
      cpu::PlaceKey(type, row, head_dim, slot, keys);
      table_.kv_store(static_cast<int>(type), v_TK.Row(from) + head * head_dim, head_dim, row);
      cpu::PlaceValue(type, row, head_dim, slot, values);
    }
  }

  /// Rows of one sequence that one attention task takes, so that a page is read once for all.
  static std::size_t RowsTogether(const AttentionArgs& args) {
    return std::max<std::size_t>(cpu::kAttentionQueries * args.kv_heads / args.heads, 1);
  }

  void AttendBlock(const AttentionArgs& args, const KvSegment& segment, std::size_t block,
                   std::size_t kv_head, std::size_t worker, Mat<float> out_TQ) {
    const std::size_t first = block * RowsTogether(args);
    const std::size_t row = segment.row_begin + first;
    const std::size_t group = args.heads / args.kv_heads;
    const std::size_t part_bytes = kKvPageTokens * KvRowBytes(segment.kv.type, args.head_dim);
    const std::size_t k_offset = segment.kv.layer_offset + kv_head * part_bytes;
    table_.attention({.q = args.q_TQ.Row(row) + kv_head * group * args.q_head_stride,
                      .q_row_stride = args.q_TQ.stride,
                      .q_head_stride = args.q_head_stride,
                      .rows = std::min(RowsTogether(args), segment.rows - first),
                      .heads = group,
                      .head_dim = args.head_dim,
                      .scale = args.scale,
                      .first_position = segment.past + first,
                      .kv_type = static_cast<int>(segment.kv.type),
                      .k = {segment.kv.pages, k_offset},
                      .v = {segment.kv.pages, k_offset + args.kv_heads * part_bytes},
                      .out = out_TQ.Row(row) + kv_head * group * args.head_dim,
                      .out_row_stride = out_TQ.stride,
                      .scratch = worker_scratch_[worker]});
  }

  // Heads [head, head + heads) of one picture.
  void AttendFully(const FullAttentionArgs& args, const RowSpan& picture, std::size_t head,
                   std::size_t heads, Mat<float> out_NE) {
    const std::size_t dim = args.head_dim;
    const std::size_t blocks = Parts(picture.rows, cpu::kFullBlockKeys);
    const std::size_t block_floats =
        2 * cpu::kFullBlockKeys * Parts(dim, cpu::kFullDimMultiple) * cpu::kFullDimMultiple;
    if (full_keys_.size() < heads * blocks * block_floats) {
      full_keys_ = AlignedBuffer<float>(heads * blocks * block_floats);
    }
    pool_.Run(heads * blocks, [&](std::size_t task, std::size_t) {
      const std::size_t column = (head + task / blocks) * dim;
      const std::size_t first = task % blocks * cpu::kFullBlockKeys;
      const std::size_t row = picture.begin + first;
      table_.pack_keys({.k = args.k_NE.Row(row) + column,
                        .v = args.v_NE.Row(row) + column,
                        .stride = args.k_NE.stride,
                        .count = std::min(cpu::kFullBlockKeys, picture.rows - first),
                        .head_dim = dim,
                        .block = full_keys_.data() + task * block_floats});
    });
    const std::size_t parts = Parts(picture.rows, cpu::kFullRows);
    pool_.Run(heads * parts, [&](std::size_t task, std::size_t worker) {
      const std::size_t column = (head + task / parts) * dim;
      const std::size_t first = task % parts * cpu::kFullRows;
      table_.full_attention({.q = args.q_NE.Row(picture.begin + first) + column,
                             .q_stride = args.q_NE.stride,
                             .rows = std::min(cpu::kFullRows, picture.rows - first),
                             .head_dim = dim,
                             .scale = args.scale,
                             .blocks = full_keys_.data() + task / parts * blocks * block_floats,
                             .keys = picture.rows,
                             .out = out_NE.Row(picture.begin + first) + column,
                             .out_stride = out_NE.stride,
                             .scratch = worker_scratch_[worker]});
    });
  }

  const cpu::KernelTable table_;
  cpu::KernelTable scalar_{};
  ThreadPool pool_;
  cpu::MatMulDriver matmul_;
  MatMulHook hook_;
  std::vector<MatMulTask> hooked_tasks_;
  AlignedBuffer<std::byte> scratch_;
  std::vector<std::byte*> worker_scratch_;
  AlignedBuffer<float> full_keys_;  // of FullAttention, made at its first call
};

struct KvTypeRow {
  KvType type;
  std::string_view name;
  std::size_t block_len;
  std::size_t block_bytes;
};
constexpr KvTypeRow kKvTypes[] = {
    {KvType::kF32, "f32", 1, 4},     {KvType::kF16, "f16", 1, 2},     {KvType::kBf16, "bf16", 1, 2},
    {KvType::kQ8_0, "q8_0", 32, 34}, {KvType::kQ4_0, "q4_0", 32, 18},
};

}  // namespace

std::string_view KvTypeName(KvType type) {
  return kKvTypes[static_cast<std::size_t>(type)].name;
}

Result<KvType> ParseKvType(std::string_view name) {
  for (const KvTypeRow& row : kKvTypes) {
    if (row.name == name) {
      return row.type;
    }
  }
  return Status(
      StatusCode::kInvalidArgument,
      Format("unknown KV cache type '{}'; known: f32, f16, bf16, q8_0, q4_0", Printable(name)));
}

std::size_t KvBlockLength(KvType type) {
  return kKvTypes[static_cast<std::size_t>(type)].block_len;
}

std::size_t KvRowBytes(KvType type, std::size_t head_dim) {
  const KvTypeRow& row = kKvTypes[static_cast<std::size_t>(type)];
  TANDEM_CHECK(head_dim % row.block_len == 0, "the head width must be whole blocks of the KV type");
  return head_dim / row.block_len * row.block_bytes;
}

Result<std::unique_ptr<Ops>> MakeCpuOps(const CpuOptions& options) {
  TANDEM_ASSIGN_OR_RETURN(const cpu::KernelTable table, cpu::SelectKernels(options.isa));
  return std::unique_ptr<Ops>(std::make_unique<CpuOps>(table, options));
}

}  // namespace tandem
