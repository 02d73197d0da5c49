#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/status.h"
#include "gguf/reader.h"
#include "kernels/ops.h"
#include "tensor/mat.h"
#include "vision/geometry.h"
#include "vision/patches.h"

namespace tandem {

struct TowerConfig {
  std::size_t layers = 0;
  std::size_t width = 0;
  std::size_t ffn = 0;
  std::size_t heads = 0;
  std::size_t out_width = 0;      // the language model's
  std::size_t position_side = 0;  // learned positions on a square of so many
  float eps = 0;
  double rope_base = 10'000;
  PatchShape shape;

  std::size_t head_dim() const { return width / heads; }
  std::size_t patches_per_token() const { return shape.merge * shape.merge; }
};

/// Rows of one step of the tower's matrix products; the device must be made for at least so many.
inline constexpr std::size_t kTowerRows = 512;

/// How far a tower is: layers done, and all of them.
using TowerProgress = std::function<void(std::size_t done, std::size_t total)>;

/// The vision tower of Qwen3.5: patches of pictures -> rows for the language model. Immutable after
/// loading and thread-safe; the file must outlive it.
class VisionTower {
 public:
  virtual ~VisionTower() = default;

  virtual const TowerConfig& config() const = 0;
  /// The widest input of a matrix product, for CpuOptions::max_cols.
  virtual std::size_t widest_input() const = 0;

  /// Writes a row for each block of merge x merge patches, in the order of FillPatches; out_NE has
  /// grid.patches() / merge^2 rows. Each step in time is a picture of its own. Cancelled when
  /// `cancel` (may be null) becomes true; out_NE is unspecified then. ops must have been made for
  /// kTowerRows rows of widest_input(). on_progress (may be empty) is called before each layer.
  virtual Status Encode(Ops& ops, const PreparedMedia& media, Mat<float> out_NE,
                        const std::atomic<bool>* cancel,
                        const TowerProgress& on_progress = nullptr) const = 0;

  /// Bytes that Encode needs beside the weights for pictures of `patches` patches, about.
  virtual std::uint64_t working_bytes(std::uint64_t patches) const = 0;
};

/// Whether the file holds a vision tower: an mmproj, or a language model with one inside.
bool HasVisionTower(const gguf::File& file);

/// Loads it, from tensors named as llama.cpp names those of an mmproj or as Ollama names those of a
/// merged file. NotFound and Corrupt for missing or misshapen tensors and keys, Unsupported for
/// another kind of tower; each names what and where.
Result<std::unique_ptr<VisionTower>> LoadVisionTower(const gguf::File& file);

}  // namespace tandem
