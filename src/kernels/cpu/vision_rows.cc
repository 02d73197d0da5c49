#include "kernels/cpu/vision_rows.h"

#include <cmath>

namespace tandem::cpu {
namespace {

// Neighbouring sums that the compiler may keep in vectors; joined in a fixed order.
constexpr std::size_t kSums = 8;

double Join(const double (&sums)[kSums]) {
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

double Mean(const float* x, std::size_t n) {
  double sums[kSums] = {};
  std::size_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (std::size_t s = 0; s < kSums; ++s) {
      sums[s] += static_cast<double>(x[i + s]);
    }
  }
  for (std::size_t s = 0; i < n; ++i, ++s) {
    sums[s] += static_cast<double>(x[i]);
  }
  return Join(sums) / static_cast<double>(n);
}

double Variance(const float* x, double mean, std::size_t n) {
  double sums[kSums] = {};
  std::size_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (std::size_t s = 0; s < kSums; ++s) {
      const double d = static_cast<double>(x[i + s]) - mean;
      sums[s] += d * d;
    }
  }
  for (std::size_t s = 0; i < n; ++i, ++s) {
    const double d = static_cast<double>(x[i]) - mean;
    sums[s] += d * d;
  }
  return Join(sums) / static_cast<double>(n);
}

}  // namespace

void LayerNormRow(const float* x, const float* gain, const float* bias, std::size_t n, float eps,
                  float* y) {
  const double mean = Mean(x, n);
  const double scale = 1.0 / std::sqrt(Variance(x, mean, n) + static_cast<double>(eps));
  for (std::size_t i = 0; i < n; ++i) {
    const double normed = (static_cast<double>(x[i]) - mean) * scale;
    y[i] = static_cast<float>(normed * static_cast<double>(gain[i]) + static_cast<double>(bias[i]));
  }
}

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
