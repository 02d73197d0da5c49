#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/status.h"
#include "gguf/tensor_type.h"

namespace tandem::quant {

/// blocks: `count` whole blocks; out: count * block_len values.
using DecodeFunction = void (*)(const std::byte* blocks, std::size_t count, float* out);
/// The reverse. importance: null, or a weight of at least 0 for each value; what is minimised is
/// the sum of importance * error^2.
using EncodeFunction = void (*)(const float* values, const float* importance, std::size_t count,
                                std::byte* blocks);

/// A number format that can be computed with: at least decoded, perhaps made.
struct Format {
  std::string_view name;
  gguf::TensorType type;
  std::uint32_t block_len;
  std::uint32_t block_bytes;
  DecodeFunction decode;
  EncodeFunction encode;  // nullptr: files in this format are read, not made

  /// The bytes of a row of `length` values, a multiple of block_len.
  std::size_t RowBytes(std::size_t length) const { return length / block_len * block_bytes; }
};

/// The table: a new format is one row in formats.cc.
std::span<const Format> Formats();

/// The row of a file's type, or nullptr when we cannot decode it.
const Format* FindFormat(gguf::TensorType type);

/// The row of a name, in any case ("q8_0", "F16"), or nullptr.
const Format* FindFormat(std::string_view name);

/// As FindFormat(); Unsupported with both names when the type of tensor `tensor` has no row.
Result<const Format*> RequireFormat(gguf::TensorType type, std::string_view tensor);

/// blocks: whole blocks of `format`; out: exactly their values. Sizes are checked.
void Decode(const Format& format, std::span<const std::byte> blocks, std::span<float> out);

/// values: whole blocks' worth; blocks: exactly their bytes. The format must have an encoder.
void Encode(const Format& format, std::span<const float> values, std::span<std::byte> blocks);

/// As above, for whole rows of importance.size() values each, a multiple of block_len: value i of a
/// row weighs importance[i].
void EncodeRows(const Format& format, std::span<const float> values,
                std::span<const float> importance, std::span<std::byte> blocks);

}  // namespace tandem::quant
