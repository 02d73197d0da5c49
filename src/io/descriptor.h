#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace tandem {

/// Owns one POSIX file descriptor; closed by the destructor. Move-only, thread-compatible.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();

  bool open() const { return fd_ >= 0; }
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

/// The Status of a failed system call on `path`: "cannot read 'x': Permission denied". ENOENT and
/// ENOTDIR become NotFound, everything else Io. `error` is an errno value.
Status SystemError(std::string_view verb, const std::filesystem::path& path, int error);

/// A regular file opened for reading, and its size in bytes.
struct ReadableFile {
  Descriptor fd;
  std::uint64_t size = 0;
};

/// Opens `path` for reading and refuses what is no regular file, without ever waiting on a pipe.
Result<ReadableFile> OpenRegularFile(const std::filesystem::path& path);

}  // namespace tandem
