#include "measure/profiled_ops.h"

#include <algorithm>
#include <chrono>

#include "gguf/tensor_type.h"

namespace tandem {

template <typename F>
void ProfiledOps::Measure(std::string_view name, std::uint64_t bytes, std::uint64_t int_ops,
                          F&& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  auto cost = std::find_if(costs_.begin(), costs_.end(),
                           [name](const OpCost& known) { return known.name == name; });
  if (cost == costs_.end()) {
    cost = costs_.insert(costs_.end(), OpCost{.name = std::string(name)});
  }
  ++cost->calls;
  cost->seconds += time.count();
  cost->bytes += bytes;
  cost->int_ops += int_ops;
}

OpCost ProfiledOps::Total() const {
  OpCost total{.name = "all"};
  for (const OpCost& cost : costs_) {
    total.calls += cost.calls;
    total.seconds += cost.seconds;
    total.bytes += cost.bytes;
    total.int_ops += cost.int_ops;
  }
  return total;
}

void ProfiledOps::Embed(const QMat& table_VE, std::span<const TokenId> ids, Mat<float> x_TE) {
  Measure("embed", ids.size() * table_VE.row_bytes, 0, [&] { ops_.Embed(table_VE, ids, x_TE); });
}

void ProfiledOps::RmsNorm(Mat<const float> x_TE, std::span<const float> gain_E, float eps,
                          Mat<float> y_TE) {
  Measure("norm", 0, 0, [&] { ops_.RmsNorm(x_TE, gain_E, eps, y_TE); });
}

void ProfiledOps::AddTo(Mat<const float> x_TE, Mat<float> y_TE) {
  Measure("add", 0, 0, [&] { ops_.AddTo(x_TE, y_TE); });
}

void ProfiledOps::LayerNorm(Mat<const float> x_TE, std::span<const float> gain_E,
                            std::span<const float> bias_E, float eps, Mat<float> y_TE) {
  Measure("layer norm", 0, 0, [&] { ops_.LayerNorm(x_TE, gain_E, bias_E, eps, y_TE); });
}

void ProfiledOps::GeluInPlace(Gelu kind, Mat<float> x_TF) {
  Measure("gelu", 0, 0, [&] { ops_.GeluInPlace(kind, x_TF); });
}

template <typename F>
void ProfiledOps::MeasureMatMul(Mat<const float> x_TI, std::span<const MatMulTask> tasks, F&& run) {
  std::string name = "matmul";
  std::uint64_t bytes = 0;
  std::uint64_t int_ops = 0;
  std::vector<gguf::TensorType> types;
  for (const MatMulTask& task : tasks) {
    const QMat& w = *task.w_OI;
    bytes += x_TI.rows > 0 ? w.rows * w.row_bytes : 0;
    int_ops += 2 * x_TI.rows * w.rows * w.cols;
    if (std::find(types.begin(), types.end(), w.type) == types.end()) {
      name += types.empty() ? " " : "+";
      name += gguf::Info(w.type).name;
      types.push_back(w.type);
    }
  }
  Measure(name, bytes, int_ops, run);
}

void ProfiledOps::MatMul(Mat<const float> x_TI, std::span<const MatMulTask> tasks) {
  MeasureMatMul(x_TI, tasks, [&] { ops_.MatMul(x_TI, tasks); });
}

void ProfiledOps::WideMatMul(Mat<const float> x_TI, std::span<const MatMulTask> tasks) {
  MeasureMatMul(x_TI, tasks, [&] { ops_.WideMatMul(x_TI, tasks); });
}

void ProfiledOps::SwiGluInPlace(Mat<float> gate_TF, Mat<const float> up_TF) {
  Measure("swiglu", 0, 0, [&] { ops_.SwiGluInPlace(gate_TF, up_TF); });
}

void ProfiledOps::HeadNormRopeInPlace(Mat<float> x_TX, std::size_t heads, std::size_t head_stride,
                                      std::size_t head_dim, std::span<const float> gain_D,
                                      float eps, const RopeArgs& rope) {
  Measure("rope", 0, 0,
          [&] { ops_.HeadNormRopeInPlace(x_TX, heads, head_stride, head_dim, gain_D, eps, rope); });
}

void ProfiledOps::KvAppend(Mat<const float> k_TK, Mat<const float> v_TK, std::size_t kv_heads,
                           std::size_t head_dim, std::span<const KvSegment> segments) {
  std::uint64_t bytes = 0;
  for (const KvSegment& segment : segments) {
    bytes += segment.rows * 2 * kv_heads * KvRowBytes(segment.kv.type, head_dim);
  }
  Measure("cache append", bytes, 0,
          [&] { ops_.KvAppend(k_TK, v_TK, kv_heads, head_dim, segments); });
}

void ProfiledOps::Attention(const AttentionArgs& args, Mat<float> out_TQ) {
  std::uint64_t bytes = 0;
  for (const KvSegment& segment : args.segments) {
    bytes += (segment.past + segment.rows) * 2 * args.kv_heads *
             KvRowBytes(segment.kv.type, args.head_dim);
  }
  Measure("attention", bytes, 0, [&] { ops_.Attention(args, out_TQ); });
}

void ProfiledOps::FullAttention(const FullAttentionArgs& args, Mat<float> out_NE) {
  std::uint64_t bytes = 0;
  for (const RowSpan& picture : args.pictures) {
    bytes += picture.rows * 2 * args.heads * args.head_dim * sizeof(float);
  }
  Measure("full attention", bytes, 0, [&] { ops_.FullAttention(args, out_NE); });
}

void ProfiledOps::SigmoidGateInPlace(Mat<float> x_TQ, std::size_t heads, std::size_t head_dim,
                                     Mat<const float> gate_TX, std::size_t gate_head_stride) {
  Measure("gate", 0, 0,
          [&] { ops_.SigmoidGateInPlace(x_TQ, heads, head_dim, gate_TX, gate_head_stride); });
}

void ProfiledOps::ConvSilu(Mat<const float> x_TC, Mat<const float> w_C4,
                           std::span<const ConvSegment> segments, Mat<float> y_TC) {
  const std::uint64_t floats = (4 + 2 * 3 * segments.size()) * x_TC.cols;  // weights, state twice
  Measure("convolution", floats * sizeof(float), 0,
          [&] { ops_.ConvSilu(x_TC, w_C4, segments, y_TC); });
}

void ProfiledOps::GatedDelta(const DeltaArgs& args, Mat<float> out_TV) {
  const std::uint64_t floats =
      2 * args.segments.size() * args.value_heads * args.head_dim * args.head_dim;
  Measure("delta rule", floats * sizeof(float), 0, [&] { ops_.GatedDelta(args, out_TV); });
}

void ProfiledOps::GatedHeadNormInPlace(Mat<float> x_TV, Mat<const float> z_TV,
                                       std::span<const float> gain_D, float eps) {
  Measure("gated norm", 0, 0, [&] { ops_.GatedHeadNormInPlace(x_TV, z_TV, gain_D, eps); });
}

}  // namespace tandem
