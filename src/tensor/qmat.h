#pragma once

#include <cstddef>

#include "gguf/tensor_type.h"

namespace tandem {

/// A borrowed weight matrix in the blocks of a GGUF tensor type: `rows` rows of `cols` weights,
/// each row `row_bytes` long, rows packed without gaps. The mapped file must outlive it. W[out, in]
/// is rows = out.
struct QMat {
  const std::byte* data = nullptr;
  gguf::TensorType type = gguf::TensorType::kF32;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t row_bytes = 0;

  const std::byte* Row(std::size_t r) const { return data + r * row_bytes; }
};

}  // namespace tandem
