#include "model/rope.h"

#include <cmath>

namespace tandem {

void RotaryTable::Fill(std::span<const RowPosition> positions, Mat<float> cos_TR,
                       Mat<float> sin_TR) const {
  TANDEM_CHECK(cos_TR.rows == positions.size() && cos_TR.cols == frequencies(),
               "rotary table shape");
  for (std::size_t t = 0; t < positions.size(); ++t) {
    for (std::size_t i = 0; i < frequencies(); ++i) {
      const double angle = inv_freq_R_[i] * positions[t][static_cast<std::size_t>(axis_R_[i])];
      cos_TR.Row(t)[i] = static_cast<float>(std::cos(angle) * scale_);
      sin_TR.Row(t)[i] = static_cast<float>(std::sin(angle) * scale_);
    }
  }
}

std::vector<double> RotaryFrequencies(double base, std::size_t dims) {
  std::vector<double> inv_freq(dims / 2);
  for (std::size_t i = 0; i < inv_freq.size(); ++i) {
    inv_freq[i] = std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(dims));
  }
  return inv_freq;
}

}  // namespace tandem
