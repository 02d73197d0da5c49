#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "convert/planned_tensor.h"
#include "gguf/metadata.h"
#include "gguf/reader.h"

namespace tandem::convert {

/// All keys of `file` in order, without those of a split, with general.file_type and
/// general.quantization_version set.
gguf::Metadata CopyMetadata(const gguf::File& file, std::uint32_t file_type);

/// The tensors of `file`, which must outlive them. Unsupported, with the tensor's name, for a type
/// that cannot be decoded; integer tensors are copied as they are.
Result<std::vector<PlannedTensor>> PlanGguf(const gguf::File& file);

}  // namespace tandem::convert
