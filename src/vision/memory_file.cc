#include "vision/memory_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/format.h"

namespace tandem {

Result<MemoryFile> MemoryFile::Make(std::string_view bytes) {
  Descriptor fd(memfd_create("tandem-clip", MFD_CLOEXEC));
  if (!fd.open()) {
    return SystemError("make", "a file in memory", errno);
  }
  while (!bytes.empty()) {
    const ssize_t n = write(fd.get(), bytes.data(), bytes.size());
    if (n < 0 && errno != EINTR) {
      return SystemError("write", "a file in memory", errno);
    }
    bytes.remove_prefix(n > 0 ? static_cast<std::size_t>(n) : 0);
  }
  return MemoryFile(std::move(fd));
}

std::string MemoryFile::path() const {
  return Format("/proc/{}/fd/{}", getpid(), fd_.get());
}

}  // namespace tandem
