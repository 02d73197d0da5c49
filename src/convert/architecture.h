#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "convert/planned_tensor.h"
#include "gguf/metadata.h"
#include "hf/config.h"
#include "hf/safetensors.h"

namespace tandem::convert {

/// What one architecture contributes to a converted file. Its planned tensors view the checkpoint.
struct ArchitecturePlan {
  std::string name;             // general.architecture
  gguf::Metadata leading_keys;  // those that stand before general.type
  gguf::Metadata keys;          // NAME.* and general.file_type, in file order
  std::vector<PlannedTensor> tensors;
};

/// Plans a checkpoint. `file_type` goes to general.file_type. Errors name the config field or the
/// tensor: NotFound and Corrupt for what is missing or does not fit, Unsupported for a variant that
/// we would convert wrongly.
using PlanFunction = Result<ArchitecturePlan> (*)(const hf::Config& config,
                                                  const hf::Checkpoint& checkpoint,
                                                  std::uint32_t file_type);

Result<ArchitecturePlan> PlanQwen35(const hf::Config& config, const hf::Checkpoint& checkpoint,
                                    std::uint32_t file_type);
Result<ArchitecturePlan> PlanPhi3(const hf::Config& config, const hf::Checkpoint& checkpoint,
                                  std::uint32_t file_type);

/// The vision tower of the same checkpoints, as a file of its own (an mmproj).
Result<ArchitecturePlan> PlanQwen35Vision(const hf::Config& config,
                                          const hf::Checkpoint& checkpoint,
                                          std::uint32_t file_type);
/// Adds `tandem.vision.*`, the pixel limits of the preprocessor configs in `folder`, unless they
/// are the published ones.
Status AddVisionLimits(const std::filesystem::path& folder, gguf::Metadata& metadata);

/// Plans with the function of config.json's `architectures`; Unsupported, with the known names, for
/// another.
Result<ArchitecturePlan> PlanCheckpoint(const hf::Config& config, const hf::Checkpoint& checkpoint,
                                        std::uint32_t file_type);
/// As PlanCheckpoint for the vision tower; Unsupported for an architecture without one.
Result<ArchitecturePlan> PlanVision(const hf::Config& config, const hf::Checkpoint& checkpoint,
                                    std::uint32_t file_type);

// For the architectures: fields that must have the one value we implement.

/// Unsupported unless the boolean field `key`, `otherwise` when absent, is `needed`.
Status RequireFlag(const hf::Config& config, std::string_view key, bool otherwise, bool needed);
/// Unsupported unless `hidden_act` is "silu".
Status RequireSilu(const hf::Config& config);
/// config.GetUint() as a non-zero 32-bit number, which is what file keys and shapes hold.
Result<std::uint32_t> RequireCount(const hf::Config& config, std::string_view key);
/// Whether output and embedding share their weights: the checkpoint has no lm_head.weight, or says
/// tied at either place of config.json. Corrupt when the head is missing and nothing says tied.
Result<bool> IsTied(const hf::Config& config, const hf::Checkpoint& checkpoint);

}  // namespace tandem::convert
