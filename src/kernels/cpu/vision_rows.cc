#include "kernels/cpu/vision_rows.h"

#include <cmath>

namespace tandem::cpu {

void GeluRow(const KernelTable& table, Gelu kind, float* x, std::size_t n, float* scratch) {
  if (kind == Gelu::kErf) {
    constexpr double kInverseRoot2 = 0.70710678118654752440;
    for (std::size_t i = 0; i < n; ++i) {
      const auto v = static_cast<double>(x[i]);
      x[i] = static_cast<float>(0.5 * v * (1 + std::erf(v * kInverseRoot2)));
    }
    return;
  }
  // 0.5 x (1 + tanh u) = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3).
  constexpr float kTwiceRoot = 1.5957691216057307117F;
  constexpr float kCubic = 0.044715F;
  for (std::size_t i = 0; i < n; ++i) {
    scratch[i] = kTwiceRoot * (x[i] + kCubic * (x[i] * x[i]) * x[i]);
  }
  table.sigmoid_gate(x, scratch, n);
}

}  // namespace tandem::cpu
