#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "base/status.h"
#include "io/file.h"

namespace tandem {

/// Writes a NumPy .npy file (format 1.0) of little-endian float32 in C order, a piece at a time;
/// the file appears when Finish succeeds. Source: numpy.lib.format.
class NpyWriter {
 public:
  /// shape: the whole array's; Append must be given exactly its product of values.
  static Result<NpyWriter> Create(const std::filesystem::path& path,
                                  const std::vector<std::size_t>& shape);
  Status Append(std::span<const float> values);
  Status Finish();

 private:
  NpyWriter(AtomicFileWriter file, std::size_t values) : file_(std::move(file)), missing_(values) {}
  AtomicFileWriter file_;
  std::size_t missing_;
};

}  // namespace tandem
