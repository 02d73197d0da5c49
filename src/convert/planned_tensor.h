#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "gguf/tensor_type.h"
#include "gguf/writer.h"
#include "quant/formats.h"

namespace tandem::convert {

/// Fills `out` with the values of one row.
using RowReader = std::function<void(std::uint64_t row, std::span<float> out)>;

/// A tensor of the file to be written and where its values come from.
struct PlannedTensor {
  std::string name;
  std::vector<std::uint64_t> dims;  // ne order: dims[0] values per row
  RowReader read_row;
  /// When not empty: the finished bytes, in `raw_type`; used instead of rows when that type is the
  /// one to be written.
  std::span<const std::byte> raw;
  gguf::TensorType raw_type = gguf::TensorType::kF32;

  std::uint64_t rows() const;
};

/// The type in which a tensor is written when `wanted` was asked for: F32 for vectors, norms and
/// the tables that engines read as floats; F16 where a row is no whole number of blocks. Source:
/// llama.cpp conversion/base.py, ModelBase.prepare_tensors.
gguf::TensorType ChooseType(std::string_view name, std::span<const std::uint64_t> dims,
                            gguf::TensorType wanted);

/// Encodes a tensor in `type`, a few rows at a time, and hands the bytes to `sink`. Memory: about a
/// megabyte and one row. `type` must have an encoder, or be the raw type.
Status StreamTensor(const PlannedTensor& tensor, gguf::TensorType type, const gguf::ByteSink& sink);

}  // namespace tandem::convert
