#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "quantize/importance.h"
#include "quantize/mix.h"
#include "quantize/recipe.h"
#include "quantize/source.h"

namespace tandem::quantize {

/// What becomes of one tensor.
struct PlannedType {
  gguf::TensorType type = gguf::TensorType::kF32;
  gguf::TensorType wanted = gguf::TensorType::kF32;  // differs where rows did not allow it
  std::vector<float> importance;                     // per input; empty: none
};

/// A plan: one entry per tensor of the source, in its order.
struct Plan {
  std::vector<PlannedType> tensors;
  std::size_t weighted = 0;  // tensors with importance
};

struct PlanOptions {
  Mix mix;
  const Importance* importance = nullptr;
  const Recipe* recipe = nullptr;
  bool allow_requantize = false;
};

/// Chooses all types and checks that they can be made. Errors: InvalidArgument for a source that is
/// quantised already (without allow_requantize), a recipe line that fits no tensor or asks for the
/// impossible, a mix that needs importance; Corrupt for an importance matrix of another model;
/// Unsupported for a source type that cannot be decoded.
Result<Plan> MakePlan(const Source& source, const PlanOptions& options);

/// The bytes of a tensor in a type.
std::uint64_t BytesAs(const gguf::TensorInfo& tensor, gguf::TensorType type);

/// What the mixes look at.
Result<MixModel> DescribeModel(const gguf::File& file, bool has_importance);
MixTensor DescribeTensor(const gguf::TensorInfo& tensor);

}  // namespace tandem::quantize
