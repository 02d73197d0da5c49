#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/ops.h"

namespace tandem {

/// What one kind of operation cost.
struct OpCost {
  std::string name;  // "matmul Q4_K", "attention", ...
  std::uint64_t calls = 0;
  double seconds = 0;
  std::uint64_t bytes = 0;    // weights, cache and state read and written; activations not counted
  std::uint64_t int_ops = 0;  // multiplications and additions of matrix products
};

/// Passes every operation on to another device and counts calls, seconds and bytes by kind. As
/// single-threaded as that device, which must outlive it.
class ProfiledOps final : public Ops {
 public:
  explicit ProfiledOps(Ops& ops) : ops_(ops) {}

  /// By kind, in order of first use.
  const std::vector<OpCost>& costs() const { return costs_; }
  /// The sum of all kinds, named "all".
  OpCost Total() const;
  void Reset() { costs_.clear(); }

  void Embed(const QMat& table_VE, std::span<const TokenId> ids, Mat<float> x_TE) override;
  void RmsNorm(Mat<const float> x_TE, std::span<const float> gain_E, float eps,
               Mat<float> y_TE) override;
  void AddTo(Mat<const float> x_TE, Mat<float> y_TE) override;
  void LayerNorm(Mat<const float> x_TE, std::span<const float> gain_E,
                 std::span<const float> bias_E, float eps, Mat<float> y_TE) override;
  void GeluInPlace(Gelu kind, Mat<float> x_TF) override;
  void MatMul(Mat<const float> x_TI, std::span<const MatMulTask> tasks) override;
  void WideMatMul(Mat<const float> x_TI, std::span<const MatMulTask> tasks) override;
  void SwiGluInPlace(Mat<float> gate_TF, Mat<const float> up_TF) override;
  void HeadNormRopeInPlace(Mat<float> x_TX, std::size_t heads, std::size_t head_stride,
                           std::size_t head_dim, std::span<const float> gain_D, float eps,
                           const RopeArgs& rope) override;
  void KvAppend(Mat<const float> k_TK, Mat<const float> v_TK, std::size_t kv_heads,
                std::size_t head_dim, std::span<const KvSegment> segments) override;
  void Attention(const AttentionArgs& args, Mat<float> out_TQ) override;
  void FullAttention(const FullAttentionArgs& args, Mat<float> out_NE) override;
  void SigmoidGateInPlace(Mat<float> x_TQ, std::size_t heads, std::size_t head_dim,
                          Mat<const float> gate_TX, std::size_t gate_head_stride) override;
  void ConvSilu(Mat<const float> x_TC, Mat<const float> w_C4, std::span<const ConvSegment> segments,
                Mat<float> y_TC) override;
  void GatedDelta(const DeltaArgs& args, Mat<float> out_TV) override;
  void GatedHeadNormInPlace(Mat<float> x_TV, Mat<const float> z_TV, std::span<const float> gain_D,
                            float eps) override;

  void ForEach(std::size_t n, FunctionRef<void(std::size_t)> body) override {
    ops_.ForEach(n, body);
  }

  std::string_view isa() const override { return ops_.isa(); }
  std::size_t threads() const override { return ops_.threads(); }
  std::size_t scratch_bytes() const override { return ops_.scratch_bytes(); }

 private:
  template <typename F>
  void MeasureMatMul(Mat<const float> x_TI, std::span<const MatMulTask> tasks, F&& run);
  template <typename F>
  void Measure(std::string_view name, std::uint64_t bytes, std::uint64_t int_ops, F&& run);

  Ops& ops_;
  std::vector<OpCost> costs_;
};

}  // namespace tandem
