#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "gguf/reader.h"
#include "tensor/qmat.h"

namespace tandem {

/// Takes named tensors out of a file with their shapes checked. The file must outlive the views;
/// small vectors that are not stored as F32 are decoded into memory that the caller keeps
/// (TakeOwned).
class WeightReader {
 public:
  explicit WeightReader(const gguf::File& file) : file_(file) {}

  bool Has(std::string_view name) const { return file_.FindTensor(name) != nullptr; }
  /// A matrix of `rows` rows (outputs) of `cols` weights (inputs), in any format that can be
  /// decoded. NotFound, Corrupt for another shape, Unsupported for a format without decoder; each
  /// names tensor and numbers.
  Result<QMat> Matrix(std::string_view name, std::size_t rows, std::size_t cols) const;
  /// A vector of n floats.
  Result<std::span<const float>> Vector(std::string_view name, std::size_t n);
  std::vector<AlignedBuffer<float>> TakeOwned() { return std::move(owned_); }

 private:
  const gguf::File& file_;
  std::vector<AlignedBuffer<float>> owned_;
};

}  // namespace tandem
