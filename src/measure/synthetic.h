#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "gguf/model_file.h"

namespace tandem {

/// A published model whose shapes are known here.
struct SyntheticModel {
  std::string_view name;  // "qwen3.5:4b"
  std::string_view title;
};
std::vector<SyntheticModel> SyntheticModels();

/// What a file of random weights would be.
struct SyntheticPlan {
  std::string name;   // of the model
  std::string quant;  // of the mix, "Q4_K_M"
  std::uint64_t bytes = 0;
  std::filesystem::path path = {};  // in the user's cache folder
  bool exists = false;
};

/// InvalidArgument for an unknown model or mix (lists the known ones), NotFound when no cache
/// folder is known (neither XDG_CACHE_HOME nor HOME is set).
Result<SyntheticPlan> PlanSynthetic(std::string_view name, std::string_view quant);

/// Makes the file: the shapes, metadata and number formats of the published model, weights that are
/// random but of a plausible size, so that it loads and runs like the real one and says nothing.
/// Equal names give equal bytes. OutOfMemory when the disk lacks room (checked first), else errors
/// of writing; no partial file is left. progress: bytes written so far.
Status MakeSynthetic(const SyntheticPlan& plan,
                     const std::function<void(std::uint64_t bytes)>& progress);

/// The same file without its large numbers: shapes, metadata and formats are there, matrices read
/// as zeros, and it lies in memory with holes for what it does not hold. For whoever asks what a
/// model takes without having it. Any mix. Errors as PlanSynthetic().
Result<std::unique_ptr<gguf::ModelFile>> OpenOutline(std::string_view name, std::string_view quant);

}  // namespace tandem
