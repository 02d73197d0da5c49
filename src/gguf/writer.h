#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "gguf/metadata.h"
#include "gguf/tensor_type.h"

namespace tandem::gguf {

/// A tensor to be written: its directory row. `dims` in ne order (row length first), one to four.
struct TensorSpec {
  std::string name;
  std::vector<std::uint64_t> dims;
  TensorType type = TensorType::kF32;
};

/// Takes the next bytes of something.
using ByteSink = std::function<Status(std::span<const std::byte>)>;

/// Produces the data of tensor `index` by handing it to the sink, in pieces of any size. An error
/// ends the writing.
using TensorSource = std::function<Status(std::size_t index, const ByteSink& sink)>;

/// Writes a GGUF version 3 container to `sink`: header, metadata and tensor directory, then each
/// tensor's data as `source` produces it, padded to general.alignment (32 when the metadata does
/// not set it). Memory: the header only. Errors: InvalidArgument for specs that no reader would
/// accept (duplicate names, rows that are no whole blocks) and when a source gives another number
/// of bytes than its spec needs; whatever `sink` or `source` return.
Status Write(const Metadata& metadata, std::span<const TensorSpec> tensors,
             const TensorSource& source, const ByteSink& sink);

/// As Write(), to a file that appears whole or not at all.
Status WriteFile(const std::filesystem::path& path, const Metadata& metadata,
                 std::span<const TensorSpec> tensors, const TensorSource& source);

/// As Write(), to memory.
Result<std::vector<std::byte>> WriteBytes(const Metadata& metadata,
                                          std::span<const TensorSpec> tensors,
                                          const TensorSource& source);

}  // namespace tandem::gguf
