#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "gguf/metadata.h"
#include "quantize/plan.h"
#include "quantize/sensitivity.h"
#include "quantize/source.h"

namespace tandem::quantize {

/// What --dynamic asks for: a size in bytes, or as many as a mix takes.
/// "2.5GB", "900MB", "412MiB", "4.6bpw" (bits per weight of the whole file) or a mix's name.
/// InvalidArgument for anything else.
Result<std::uint64_t> ParseTargetSize(std::string_view text, const Source& source);

/// The types that are weighed against each other, smallest first.
std::span<const gguf::TensorType> DynamicTypes();

/// What was chosen for a matrix.
struct DynamicChoice {
  std::string tensor;
  gguf::TensorType type = gguf::TensorType::kF32;
  std::uint64_t bytes = 0;
  double loss = 0;  // expected, nats
};

/// Types for the measured matrices so that all tensor data together takes at most `target` bytes
/// and the sum of the expected losses is least (each step buys the largest drop of loss per byte).
/// Tensors that were not measured keep what `base` plans. InvalidArgument when the smallest types
/// are too large, with the least size.
Result<std::vector<DynamicChoice>> ChooseDynamic(const Source& source, const Plan& base,
                                                 std::span<const Sensitivity> sensitivities,
                                                 std::uint64_t target);

/// Puts the choices into a plan.
void ApplyChoices(const Source& source, std::span<const DynamicChoice> choices, Plan& plan);

/// The choices as a table for people, one line per matrix.
std::string DynamicTable(std::span<const DynamicChoice> choices);

/// Stores the table in the file: tandem.dynamic.{tensors,types,losses,target_bytes}.
void AddChoices(std::span<const DynamicChoice> choices, std::uint64_t target,
                gguf::Metadata& metadata);

}  // namespace tandem::quantize
