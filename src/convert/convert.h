#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tandem::convert {

/// Where a conversion stands, before each tensor and after the last.
struct Progress {
  std::size_t done = 0;     // tensors written
  std::size_t total = 0;    // tensors of the file
  std::uint64_t bytes = 0;  // of the file so far
  std::string_view tensor;  // the next one; empty at the end
};

/// What of a checkpoint goes into the file.
enum class CheckpointPart {
  kText,
  kVision,  // a file of its own, an mmproj
  kBoth,    // one file that sees
};

struct ConvertOptions {
  std::filesystem::path source;  // a checkpoint folder, or a GGUF file (any part of a split one)
  std::filesystem::path output;  // may be the source file itself: it is replaced at the end
  std::string type = "f16";      // f32, f16, bf16 or q8_0, in any case
  CheckpointPart part = CheckpointPart::kText;
  /// Called on the caller's thread; returning false cancels.
  std::function<bool(const Progress&)> progress = nullptr;
};

struct ConvertSummary {
  std::string architecture;
  std::size_t tensors = 0;
  std::uint64_t bytes = 0;  // of the file
  /// Tensors that stayed or became F16 because a row is no whole number of blocks.
  std::vector<std::string> fallbacks;
};

/// Writes a GGUF file from a checkpoint of a known architecture (its text model, its vision tower,
/// or both), or from another GGUF file of any architecture, whose tensors are re-encoded and
/// whose metadata is kept. Two-dimensional weights get `type`; vectors, norms and tables stay F32
/// (see ChooseType). Memory is bounded by the metadata and a few rows. The output appears whole or
/// not at all. Errors name the file, the field or the tensor; Cancelled when `progress` says so.
Result<ConvertSummary> Convert(const ConvertOptions& options);

}  // namespace tandem::convert
