#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "io/descriptor.h"

namespace tandem {

/// Bytes as a file that other programs of this user can open by name, for as long as the object
/// lives; nothing is written to a disk. Move-only.
class MemoryFile {
 public:
  /// Io when the system has no room for it.
  static Result<MemoryFile> Make(std::string_view bytes);

  std::string path() const;

 private:
  explicit MemoryFile(Descriptor fd) : fd_(std::move(fd)) {}
  Descriptor fd_;
};

}  // namespace tandem
