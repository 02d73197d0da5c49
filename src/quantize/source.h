#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "gguf/reader.h"
#include "io/descriptor.h"

namespace tandem::quantize {

/// A GGUF file, or all parts of a split one, read piece by piece: only the directory is held in
/// memory and nothing is mapped, so a file of any size can be read within a small address space.
/// Move-only; ReadBytes may be called from several threads.
class Source {
 public:
  struct Tensor {
    gguf::TensorInfo info;  // without bytes
    std::size_t part = 0;
  };

  /// Errors as gguf::ModelFile::Open.
  static Result<Source> Open(const std::filesystem::path& path);

  Source(Source&&) noexcept = default;
  Source& operator=(Source&&) noexcept = default;

  /// The first part: its metadata is the model's.
  const gguf::File& file() const { return parts_.front().file; }
  std::span<const Tensor> tensors() const { return tensors_; }

  /// Bytes [offset, offset + out.size()) of a tensor's data. Io or Corrupt when the file cannot
  /// give them any more.
  Status ReadBytes(const Tensor& tensor, std::uint64_t offset, std::span<std::byte> out) const;

 private:
  struct Part {
    std::filesystem::path path;
    Descriptor fd;
    std::vector<std::byte> directory;
    gguf::File file;
  };

  Source() = default;
  static Result<Part> OpenPart(const std::filesystem::path& path);
  Status AddPart(Part part);

  std::vector<Part> parts_;
  std::vector<Tensor> tensors_;
};

}  // namespace tandem::quantize
