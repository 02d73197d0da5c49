#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tandem::gguf {

/// The number formats that a GGUF file may name, with the ids of ggml.h (enum ggml_type).
enum class TensorType : std::uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ8_1 = 9,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kQ8_K = 15,
  kIQ2_XXS = 16,
  kIQ2_XS = 17,
  kIQ3_XXS = 18,
  kIQ1_S = 19,
  kIQ4_NL = 20,
  kIQ3_S = 21,
  kIQ2_S = 22,
  kIQ4_XS = 23,
  kI8 = 24,
  kI16 = 25,
  kI32 = 26,
  kI64 = 27,
  kF64 = 28,
  kIQ1_M = 29,
  kBF16 = 30,
  kTQ1_0 = 34,
  kTQ2_0 = 35,
  kMXFP4 = 39,
  kNVFP4 = 40,
  kQ1_0 = 41,
};

/// How a format is laid out: `block_len` neighbouring values of a row share `block_bytes` bytes.
struct TensorTypeInfo {
  TensorType type;
  std::string_view name;
  std::uint32_t block_len;
  std::uint32_t block_bytes;
};

/// Every format above, by rising id.
std::span<const TensorTypeInfo> AllTensorTypes();

/// The entry of a file's type id, or nullptr for an id that no format has (or no longer has).
const TensorTypeInfo* FindTensorType(std::uint32_t id);

/// The entry of a format.
const TensorTypeInfo& Info(TensorType type);

/// The bytes of `elements` values in rows of `row_length`, or nothing when a row is no whole number
/// of blocks or the product does not fit.
std::optional<std::uint64_t> TensorBytes(TensorType type, std::uint64_t row_length,
                                         std::uint64_t elements);

}  // namespace tandem::gguf
