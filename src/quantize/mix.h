#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "gguf/tensor_type.h"

namespace tandem::quantize {

/// A named way to give each tensor its type: what people call a file's type.
struct Mix {
  std::string_view name;
  std::uint32_t file_type;  // general.file_type, llama.cpp's LLAMA_FTYPE_*
  gguf::TensorType base;    // of the tensors that no rule names
  std::string_view advice;  // one line for --help and docs
};

/// All mixes, smallest first.
std::span<const Mix> Mixes();

/// By name in any case ("q4_k_m"; "Q4_K" means Q4_K_M, and so on). InvalidArgument lists the known
/// ones.
Result<Mix> FindMix(std::string_view name);

/// What a mix looks at in a tensor.
struct MixTensor {
  std::string_view name;
  std::span<const std::uint64_t> dims;             // ne order
  gguf::TensorType type = gguf::TensorType::kF32;  // in the source
};

/// What it looks at in a model.
struct MixModel {
  std::size_t layers = 0;        // block_count, MTP blocks included
  std::size_t heads_per_kv = 1;  // query heads that share a key-value head
  bool has_importance = false;
};

/// A tensor's type, and what the mix asked for where its rows did not allow that.
struct MixChoice {
  gguf::TensorType type = gguf::TensorType::kF32;
  gguf::TensorType wanted = gguf::TensorType::kF32;
  bool fell_back() const { return type != wanted; }
};

/// Whether quantising touches a tensor at all: matrices whose names end in "weight", but norms,
/// tables and small convolutions keep the type they have. Source: llama.cpp, llama-quant.cpp,
/// tensor_allows_quantization.
bool IsQuantisable(const MixTensor& tensor);

/// The nearest type that a row of `length` values can have: `wanted`, or the documented fallback
/// with blocks of 32, or F16. Source: as above, tensor_type_fallback; where llama.cpp gives up,
/// F16.
gguf::TensorType FallbackFor(gguf::TensorType wanted, std::uint64_t length);

/// A type for each tensor, in order, the same as llama.cpp's quantiser chooses for models without
/// experts (llama_tensor_get_type). Matrices of a vision tower ("v.", "mm.") become Q8_0 in any
/// integer mix, F16 where rows do not divide: smaller ones no tower reads.
std::vector<MixChoice> ChooseTypes(const Mix& mix, const MixModel& model,
                                   std::span<const MixTensor> tensors);

/// Whether a mix is of no use without importance for this tensor (Q2_K_S).
bool NeedsImportance(const Mix& mix, std::string_view tensor, gguf::TensorType type);

}  // namespace tandem::quantize
