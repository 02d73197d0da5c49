#pragma once

#include <cstddef>
#include <map>
#include <string_view>
#include <vector>

#include "kernels/ops.h"

namespace tandem {

/// The operations as their formulas say, in double, without any cleverness: what a forward pass
/// should give for float weights. One sequence at a time; keeps the keys and values it is given
/// itself and never looks at the cache's pages.
class ReferenceOps final : public Ops {
 public:
  void Embed(const QMat& table_VE, std::span<const TokenId> ids, Mat<float> x_TE) override;
  void RmsNorm(Mat<const float> x_TE, std::span<const float> gain_E, float eps,
               Mat<float> y_TE) override;
  void AddTo(Mat<const float> x_TE, Mat<float> y_TE) override;
  void MatMul(Mat<const float> x_TI, std::span<const MatMulTask> tasks) override;
  void SwiGluInPlace(Mat<float> gate_TF, Mat<const float> up_TF) override;
  void HeadNormRopeInPlace(Mat<float> x_TX, std::size_t heads, std::size_t head_stride,
                           std::size_t head_dim, std::span<const float> gain_D, float eps,
                           const RopeArgs& rope) override;
  void KvAppend(Mat<const float> k_TK, Mat<const float> v_TK, std::size_t kv_heads,
                std::size_t head_dim, std::span<const KvSegment> segments) override;
  void Attention(const AttentionArgs& args, Mat<float> out_TQ) override;
  void SigmoidGateInPlace(Mat<float> x_TQ, std::size_t heads, std::size_t head_dim,
                          Mat<const float> gate_TX, std::size_t gate_head_stride) override;
  void ConvSilu(Mat<const float> x_TC, Mat<const float> w_C4, std::span<const ConvSegment> segments,
                Mat<float> y_TC) override;
  void GatedDelta(const DeltaArgs& args, Mat<float> out_TV) override;
  void GatedHeadNormInPlace(Mat<float> x_TV, Mat<const float> z_TV, std::span<const float> gain_D,
                            float eps) override;

  // Operations of vision towers, which no language model asks for.
  void LayerNorm(Mat<const float> /*x_TE*/, std::span<const float> /*gain_E*/,
                 std::span<const float> /*bias_E*/, float /*eps*/, Mat<float> /*y_TE*/) override {
    TANDEM_CHECK(false, "not of a language model");
  }
  void GeluInPlace(Gelu /*kind*/, Mat<float> /*x_TF*/) override {
    TANDEM_CHECK(false, "not of a language model");
  }
  void WideMatMul(Mat<const float> /*x_TI*/, std::span<const MatMulTask> /*tasks*/) override {
    TANDEM_CHECK(false, "not of a language model");
  }
  void FullAttention(const FullAttentionArgs& /*args*/, Mat<float> /*out_NE*/) override {
    TANDEM_CHECK(false, "not of a language model");
  }

  void ForEach(std::size_t n, FunctionRef<void(std::size_t)> body) override {
    for (std::size_t i = 0; i < n; ++i) {
      body(i);
    }
  }

  std::string_view isa() const override { return "reference"; }
  std::size_t threads() const override { return 1; }
  std::size_t scratch_bytes() const override { return 0; }

 private:
  struct Cache {
    std::vector<float> keys;  // position by position
    std::vector<float> values;
  };
  std::map<std::size_t, Cache> caches_;  // by layer_offset
};

}  // namespace tandem
