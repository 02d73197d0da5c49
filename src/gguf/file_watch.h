#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "gguf/model_file.h"

namespace tandem::gguf {

/// Tells whether somebody has written to the files of a model since it was opened. Tandem replaces
/// files by rename, and a mapping keeps what was replaced; a program that rewrites or cuts a file
/// in place changes the mapped bytes, and a page that is cut off is a SIGBUS when it is read (see
/// cli/mapping_fault.h). A value; thread-safe.
class FileWatch {
 public:
  FileWatch() = default;
  /// To be made right after the file was opened. Nothing to watch for bytes in memory.
  explicit FileWatch(const ModelFile& file);

  /// Io, with the file and the numbers, when one has another size or time of change. A system call
  /// for each part; allocates nothing as long as all is well.
  Status Check() const;

 private:
  struct Part {
    std::string path;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t seconds = 0;  // of the last change
    std::int64_t nanoseconds = 0;
  };

  std::vector<Part> parts_;
};

}  // namespace tandem::gguf
