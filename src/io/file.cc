#include "io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/format.h"

namespace tandem {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;
constexpr int kMaxNames = 1000;

std::filesystem::path FolderOf(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.parent_path();
  return folder.empty() ? std::filesystem::path(".") : folder;
}

std::filesystem::path TemporaryName(const std::filesystem::path& path, int attempt) {
  return FolderOf(path) / Format(".tandem-{}-{}.tmp", ::getpid(), attempt);
}

/// Follows symbolic links and refuses targets that a rename would destroy.
Result<std::filesystem::path> ResolveTarget(const std::filesystem::path& path) {
  if (path.filename().empty()) {
    return Status(StatusCode::kInvalidArgument,
                  Format("'{}' names no file", Printable(path.native(), 400)));
  }
  std::error_code error;
  std::filesystem::path target = path;
  if (std::filesystem::is_symlink(path, error)) {
    target = std::filesystem::weakly_canonical(path, error);
    if (error) {
      return SystemError("follow", path, error.value());
    }
  }
  const std::filesystem::file_status status = std::filesystem::status(target, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return Status(StatusCode::kInvalidArgument,
                  Format("cannot replace '{}': it is {}", Printable(path.native(), 400),
                         std::filesystem::is_directory(status) ? "a folder" : "no regular file"));
  }
  return target;
}

/// A file without a name, which the kernel drops when the process ends; closed when the file system
/// or a missing /proc (needed to name it later) does not allow it.
Descriptor OpenUnnamed(const std::filesystem::path& folder) {
#ifdef O_TMPFILE
  if (::access("/proc/self/fd", X_OK) == 0) {
    return Descriptor(::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
  }
#endif
  return Descriptor();
}

}  // namespace

Result<std::string> ReadFile(const std::filesystem::path& path, std::uint64_t limit_bytes) {
  TANDEM_ASSIGN_OR_RETURN(ReadableFile file, OpenRegularFile(path));
  std::string text;
  if (file.size <= limit_bytes) {
    text.reserve(static_cast<std::size_t>(file.size));
  }
  std::array<char, 65536> chunk{};
  while (file.size <= limit_bytes) {
    const ssize_t got = ::read(file.fd.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return SystemError("read", path, errno);
    }
    if (got == 0) {
      return text;
    }
    text.append(chunk.data(), static_cast<std::size_t>(got));
    file.size = std::max<std::uint64_t>(file.size, text.size());
  }
  return Status(StatusCode::kUnsupported,
                Format("'{}' has {} bytes; at most {} are read", Printable(path.native(), 400),
                       file.size, limit_bytes));
}

Result<AtomicFileWriter> AtomicFileWriter::Create(const std::filesystem::path& path) {
  AtomicFileWriter writer;
  TANDEM_ASSIGN_OR_RETURN(writer.path_, ResolveTarget(path));
  writer.fd_ = OpenUnnamed(FolderOf(writer.path_));
  for (int attempt = 0; !writer.fd_.open(); ++attempt) {
    writer.temporary_ = TemporaryName(writer.path_, attempt);
    writer.fd_ = Descriptor(
        ::open(writer.temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!writer.fd_.open() && (errno != EEXIST || attempt == kMaxNames)) {
      const int error = errno;
      writer.temporary_.clear();
      return SystemError("write", path, error);
    }
  }
  writer.buffer_.reserve(kBufferBytes);
  return writer;
}

AtomicFileWriter::~AtomicFileWriter() {
  if (fd_.open() && !temporary_.empty()) {
    ::unlink(temporary_.c_str());
  }
}

Status AtomicFileWriter::WriteRaw(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd_.get(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put < 0) {
      error_ = SystemError("write", path_, errno);
      return error_;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return OkStatus();
}

Status AtomicFileWriter::Flush() {
  TANDEM_RETURN_IF_ERROR(WriteRaw(buffer_));
  buffer_.clear();
  return OkStatus();
}

Status AtomicFileWriter::Write(std::span<const std::byte> bytes) {
  TANDEM_CHECK(fd_.open(), "Write after Commit");
  TANDEM_RETURN_IF_ERROR(error_);
  offset_ += bytes.size();
  if (buffer_.size() + bytes.size() > kBufferBytes) {
    TANDEM_RETURN_IF_ERROR(Flush());
  }
  if (bytes.size() >= kBufferBytes) {
    return WriteRaw(bytes);
  }
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  return OkStatus();
}

Status AtomicFileWriter::Write(std::string_view text) {
  return Write(std::as_bytes(std::span(text)));
}

/// Gives the unnamed file a hidden name; link() refuses existing names, so `path_` itself cannot be
/// the first name.
Status AtomicFileWriter::NameTemporary() {
  const std::string source = Format("/proc/self/fd/{}", fd_.get());
  for (int attempt = 0; attempt <= kMaxNames; ++attempt) {
    // Known before it exists, so that it is removed whatever happens next.
    temporary_ = TemporaryName(path_, attempt);
    if (::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, temporary_.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      return OkStatus();
    }
    const int error = errno;
    temporary_.clear();
    if (error != EEXIST || attempt == kMaxNames) {
      return SystemError("write", path_, error);
    }
  }
  return SystemError("write", path_, EEXIST);
}

Status AtomicFileWriter::Commit() {
  TANDEM_CHECK(fd_.open(), "Commit twice");
  TANDEM_RETURN_IF_ERROR(error_);
  TANDEM_RETURN_IF_ERROR(Flush());
  if (::fsync(fd_.get()) != 0) {
    return SystemError("write", path_, errno);
  }
  if (temporary_.empty()) {
    TANDEM_RETURN_IF_ERROR(NameTemporary());
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    return SystemError("write", path_, errno);
  }
  temporary_.clear();
  fd_ = Descriptor();
  // The rename itself must survive a power cut; a file system that cannot sync folders is no error.
  const Descriptor folder(::open(FolderOf(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.open()) {
    (void)::fsync(folder.get());
  }
  return OkStatus();
}

Status CheckOtherFile(const std::filesystem::path& source, const std::filesystem::path& output) {
  std::error_code error;
  if (std::filesystem::equivalent(source, output, error)) {
    return {StatusCode::kInvalidArgument,
            Format("'{}' is the source itself; name another file, or the original would be lost",
                   Printable(output.native(), 400))};
  }
  return OkStatus();
}

Status WriteFileAtomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  TANDEM_ASSIGN_OR_RETURN(AtomicFileWriter writer, AtomicFileWriter::Create(path));
  TANDEM_RETURN_IF_ERROR(writer.Write(bytes));
  return writer.Commit();
}

Status WriteFileAtomically(const std::filesystem::path& path, std::string_view text) {
  return WriteFileAtomically(path, std::as_bytes(std::span(text)));
}

}  // namespace tandem
