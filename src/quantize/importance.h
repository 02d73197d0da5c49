#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tandem::quantize {

/// How much each input of each matrix matters: the mean of its squares over calibration text, what
/// people call an importance matrix. A value; thread-compatible.
class Importance {
 public:
  /// Of one matrix (or a stack of `matrices`, as of experts): sums of squares, and how many rows
  /// went into each matrix's.
  struct Entry {
    std::vector<float> sums;    // matrices * inputs
    std::vector<float> counts;  // matrices
  };

  /// Reads llama.cpp's files, the present form (GGUF with general.type "imatrix") and the older
  /// one. Corrupt or Unsupported with the file's name, the entry and the numbers; values that are
  /// not finite or below zero are refused.
  static Result<Importance> Read(const std::filesystem::path& path);

  /// Writes the present form, whole or not at all.
  Status Write(const std::filesystem::path& path) const;

  std::map<std::string, Entry, std::less<>>& entries() { return entries_; }
  const std::map<std::string, Entry, std::less<>>& entries() const { return entries_; }

  /// The mean squares for a matrix of `inputs`, `matrices` of them after each other; empty when
  /// there is no entry or nothing went into it. Corrupt when the entry has another size.
  Result<std::vector<float>> MeansFor(std::string_view tensor, std::uint64_t inputs,
                                      std::uint64_t matrices) const;

  std::string source;  // where it was read from
  std::vector<std::string> datasets;
  std::uint32_t chunks = 0;
  std::uint32_t chunk_tokens = 0;

 private:
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace tandem::quantize
