#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "io/mapped_file.h"

namespace tandem::hf {

/// The number formats of safetensors that are read; others are known by name only.
enum class DType { kF32, kF16, kBF16, kOther };

/// One tensor of a checkpoint. `bytes` is a view into the mapped file: the values in row-major
/// order, little endian, exactly as many as `shape` says when the dtype is one of the three.
struct Tensor {
  std::string name;
  DType dtype = DType::kOther;
  std::string dtype_name;            // as in the file: "BF16", "F8_E4M3"
  std::vector<std::uint64_t> shape;  // outermost first; empty for one value
  std::span<const std::byte> bytes;

  /// The product of the shape.
  std::uint64_t elements() const;
};

/// Reads the header of one safetensors file and checks every offset: header length, shape times
/// width against the offsets, the end of the data, gaps and overlaps. Tensors are sorted by name.
/// The result views `bytes`. `name` is put before errors. Errors: Corrupt with the numbers.
/// Source: the format section of the safetensors project's README.
Result<std::vector<Tensor>> ParseSafetensors(std::span<const std::byte> bytes,
                                             std::string_view name);

/// The weights of a checkpoint folder: model.safetensors, or the files that
/// model.safetensors.index.json names. Owns the mappings. Move-only, thread-safe for reading.
class Checkpoint {
 public:
  /// Errors: NotFound when the folder has neither file; Corrupt when the index and the files
  /// disagree, or two files hold the same tensor; otherwise as ParseSafetensors().
  static Result<Checkpoint> Open(const std::filesystem::path& folder);

  /// All tensors: by file name, then by tensor name.
  std::span<const Tensor> tensors() const { return tensors_; }

  /// The tensor of that name, or nullptr.
  const Tensor* Find(std::string_view name) const;

  /// For hints (MappedFile::Advise).
  std::span<const MappedFile> mappings() const { return mappings_; }

 private:
  Checkpoint() = default;
  Status AddFile(const std::filesystem::path& path);

  std::vector<MappedFile> mappings_;
  std::vector<Tensor> tensors_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace tandem::hf
