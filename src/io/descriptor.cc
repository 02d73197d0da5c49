#include "io/descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/format.h"

namespace tandem {
namespace {

std::string_view KindName(mode_t mode) {
  if (S_ISDIR(mode)) {
    return "a folder";
  }
  if (S_ISFIFO(mode)) {
    return "a pipe";
  }
  if (S_ISSOCK(mode)) {
    return "a socket";
  }
  return "a device";
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

Status SystemError(std::string_view verb, const std::filesystem::path& path, int error) {
  const StatusCode code = error == ENOENT || error == ENOTDIR ? StatusCode::kNotFound
                          : error == ENOMEM                   ? StatusCode::kOutOfMemory
                                                              : StatusCode::kIo;
  return Status(code, Format("cannot {} '{}': {}", verb, Printable(path.native(), 400),
                             std::generic_category().message(error)));
}

Result<ReadableFile> OpenRegularFile(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a pipe nobody writes to must be refused, not waited for.
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.open()) {
    return SystemError("open", path, errno);
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) {
    return SystemError("inspect", path, errno);
  }
  if (!S_ISREG(info.st_mode)) {
    return Status(
        StatusCode::kInvalidArgument,
        Format("'{}' is {}, not a file", Printable(path.native(), 400), KindName(info.st_mode)));
  }
  return ReadableFile{.fd = std::move(fd), .size = static_cast<std::uint64_t>(info.st_size)};
}

}  // namespace tandem
