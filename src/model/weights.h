#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "gguf/reader.h"
#include "tensor/qmat.h"

namespace tandem {

/// The largest width, number of heads or layers that is believed: far above any model's, and such
/// that a product of two of them, times the rows of a step, cannot wrap.
constexpr std::uint64_t kMaxModelSize = std::uint64_t{1} << 24;
/// Positions are 32-bit numbers.
constexpr std::uint64_t kMaxContext = INT32_MAX;

/// An unsigned number of the file's metadata. Errors of File::GetUint; Corrupt, with both numbers,
/// above `limit`.
Result<std::size_t> GetSize(const gguf::File& file, std::string_view key,
                            std::uint64_t limit = kMaxModelSize);
/// As above, but an absent key gives `otherwise`.
Result<std::size_t> GetSizeOr(const gguf::File& file, std::string_view key, std::size_t otherwise,
                              std::uint64_t limit = kMaxModelSize);
/// The layers that `key` counts: more than there are tensors is Corrupt.
Result<std::size_t> GetLayers(const gguf::File& file, std::string_view key);

/// Takes named tensors out of a file with their shapes checked. The file must outlive the views;
/// small vectors that are not stored as F32 are decoded into memory that the caller keeps
/// (TakeOwned).
class WeightReader {
 public:
  explicit WeightReader(const gguf::File& file) : file_(file) {}

  bool Has(std::string_view name) const { return file_.FindTensor(name) != nullptr; }
  /// A matrix of `rows` rows (outputs) of `cols` weights (inputs), in any format that can be
  /// decoded. NotFound, Corrupt for another shape, Unsupported for a format without decoder; each
  /// names tensor and numbers.
  Result<QMat> Matrix(std::string_view name, std::size_t rows, std::size_t cols) const;
  /// A vector of n floats.
  Result<std::span<const float>> Vector(std::string_view name, std::size_t n);
  std::vector<AlignedBuffer<float>> TakeOwned() { return std::move(owned_); }

 private:
  const gguf::File& file_;
  std::vector<AlignedBuffer<float>> owned_;
};

}  // namespace tandem
