#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "gguf/reader.h"
#include "io/mapped_file.h"

namespace tandem::gguf {

/// A model's container with its bytes: one file, all parts of a split file, or bytes that live in
/// the program. A File whose views stay valid as long as this object. Neither copied nor moved;
/// thread-safe for reading.
class ModelFile : public File {
 public:
  /// Maps `path`. A file with split.count > 1 is opened with all its parts: `path` must be named
  /// NAME-00001-of-0000N.gguf (any part may be given) and the others must lie beside it. The
  /// metadata is the first part's; the tensors are those of all parts, in order. Errors as
  /// MappedFile::Open and File::Parse; parts that do not fit together are Corrupt, missing ones
  /// NotFound.
  static Result<std::unique_ptr<ModelFile>> Open(const std::filesystem::path& path);

  /// Reads a container from `bytes`, which must outlive the object. `name` is used in errors.
  static Result<std::unique_ptr<ModelFile>> FromBytes(std::span<const std::byte> bytes,
                                                      std::string_view name);

  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;
  ModelFile(ModelFile&&) = delete;
  ModelFile& operator=(ModelFile&&) = delete;
  ~ModelFile() = default;

  /// The mapped files, in order; empty for FromBytes(). For hints (MappedFile::Advise).
  std::span<const MappedFile> mappings() const { return mappings_; }
  /// The size of all parts in bytes.
  std::uint64_t file_bytes() const { return file_bytes_; }

 private:
  ModelFile(File file, std::vector<MappedFile> mappings, std::uint64_t file_bytes)
      : File(std::move(file)), mappings_(std::move(mappings)), file_bytes_(file_bytes) {}

  Status AddPart(const std::filesystem::path& path, std::uint64_t index, std::uint64_t count);

  std::vector<MappedFile> mappings_;
  std::uint64_t file_bytes_ = 0;
};

/// The name of part `index` (from 0) of `count`, for a `path` that names any part of the same
/// split; empty when `path` does not end in -NNNNN-of-NNNNN.gguf with this count.
std::filesystem::path SplitPartPath(const std::filesystem::path& path, std::uint64_t index,
                                    std::uint64_t count);

}  // namespace tandem::gguf
