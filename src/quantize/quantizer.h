#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "base/status.h"
#include "gguf/metadata.h"
#include "quantize/plan.h"
#include "quantize/source.h"

namespace tandem::quantize {

/// Where the work stands, after each piece of a tensor.
struct Progress {
  std::size_t done = 0;  // tensors written
  std::size_t total = 0;
  std::uint64_t read = 0;  // bytes of tensors read so far
  std::uint64_t read_total = 0;
  std::string_view tensor;  // the one at hand; empty at the end
};

struct WriteOptions {
  std::filesystem::path output;  // may be the source itself: it is replaced at the end
  std::size_t threads = 1;
  /// Called on the caller's thread; returning false cancels. May be empty.
  std::function<bool(const Progress&)> progress = nullptr;
};

/// Re-encodes `source` as planned, a few rows at a time on all threads, and writes it with
/// `metadata`; returns the file's size in bytes. Memory: the directory and about 40 MB. The output
/// appears whole or not at all. Errors: InvalidArgument for a value that is not finite (with its
/// place), Io, Cancelled.
Result<std::uint64_t> WriteQuantized(const Source& source, const Plan& plan,
                                     const gguf::Metadata& metadata, const WriteOptions& options);

/// The source's metadata for a file of this mix: without what says that it was split, with the file
/// type and where the importance came from.
gguf::Metadata MetadataFor(const Source& source, const Mix& mix, const Plan& plan,
                           const Importance* importance);

/// Decodes rows [begin, begin + count) of a tensor into `values` (count rows); `raw` is working
/// memory. Errors as WriteQuantized.
Status ReadRows(const Source& source, const Source::Tensor& tensor, std::uint64_t begin,
                std::vector<std::byte>& raw, std::span<float> values);

}  // namespace tandem::quantize
