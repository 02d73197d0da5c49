#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "base/status.h"

namespace tandem {

/// A whole regular file mapped read-only. Move-only; unmapped by the destructor, so every span
/// taken from it must not outlive it. Thread-compatible; reading the bytes from several threads is
/// safe. A file that another process shortens while it is mapped ends the process (SIGBUS): files
/// are replaced by rename here (see AtomicFileWriter), never rewritten in place.
class MappedFile {
 public:
  /// How the bytes will be used next; a hint to the kernel, never an error.
  enum class Access { kNormal, kSequential, kRandom, kWillNeed, kDontNeed };

  /// Maps `path`. Errors name the path: NotFound when it does not exist, InvalidArgument for a
  /// folder, a pipe, a device or an empty file, Io for the rest (with the system's words).
  static Result<MappedFile> Open(const std::filesystem::path& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::uint64_t size() const { return size_; }

  /// Gives the hint for the whole file.
  void Advise(Access access) const;
  /// Gives the hint for the pages that hold [offset, offset + length) of the file, cut to its size.
  void AdviseRange(std::uint64_t offset, std::uint64_t length, Access access) const;

 private:
  MappedFile(const std::byte* data, std::size_t size) : data_(data), size_(size) {}

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace tandem
