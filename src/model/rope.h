#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "model/network.h"
#include "tensor/mat.h"

namespace tandem {

/// Rotary angles of a step: cos and sin of position * inv_freq, for each row and frequency, times a
/// constant. Source: arXiv:2104.09864; angles in double, since the truth we are held to is the
/// formula in double.
class RotaryTable {
 public:
  /// inv_freq_R: radians per position. axis_R: which of a row's three positions frequency i turns
  /// with (0 t, 1 h, 2 w). scale multiplies both cosine and sine.
  RotaryTable(std::vector<double> inv_freq_R, std::vector<int> axis_R, double scale)
      : inv_freq_R_(std::move(inv_freq_R)), axis_R_(std::move(axis_R)), scale_(scale) {}

  std::size_t frequencies() const { return inv_freq_R_.size(); }
  /// Writes the rows of one sequence.
  void Fill(std::span<const RowPosition> positions, Mat<float> cos_TR, Mat<float> sin_TR) const;

 private:
  std::vector<double> inv_freq_R_;
  std::vector<int> axis_R_;
  double scale_;
};

/// base^(-2i/dims) for i in [0, dims/2).
std::vector<double> RotaryFrequencies(double base, std::size_t dims);

}  // namespace tandem
