#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/descriptor.h"

namespace tandem {

/// All bytes of a regular file. Folders, pipes and devices are InvalidArgument, a file of more than
/// `limit_bytes` is Unsupported; an empty file is an empty string. Reads to the end even when the
/// file grows meanwhile or reports size 0 (as /proc does).
Result<std::string> ReadFile(const std::filesystem::path& path,
                             std::uint64_t limit_bytes = std::uint64_t{1} << 30);

/// Writes a file that appears whole or not at all. The bytes go to an unnamed (where the file
/// system can) or hidden temporary file in the same folder; Commit() flushes it to the disk and
/// renames it over `path`. Without Commit() the destructor removes it and `path` is untouched; the
/// unnamed kind vanishes even when the process is killed. Move-only, single-threaded.
class AtomicFileWriter {
 public:
  /// Starts a file for `path`; a symbolic link is followed, so that its target is replaced. Errors:
  /// InvalidArgument when `path` is a folder, pipe or device; NotFound or Io from its folder.
  static Result<AtomicFileWriter> Create(const std::filesystem::path& path);

  AtomicFileWriter(AtomicFileWriter&& other) noexcept = default;
  AtomicFileWriter& operator=(AtomicFileWriter&& other) = delete;
  AtomicFileWriter(const AtomicFileWriter&) = delete;
  AtomicFileWriter& operator=(const AtomicFileWriter&) = delete;
  ~AtomicFileWriter();

  /// Appends bytes (buffered). After an error every later call returns that error again.
  Status Write(std::span<const std::byte> bytes);
  Status Write(std::string_view text);

  /// The number of bytes given to Write() so far.
  std::uint64_t offset() const { return offset_; }

  /// Flushes, syncs and renames. To be called once, as the last call.
  Status Commit();

 private:
  AtomicFileWriter() = default;
  Status Flush();
  Status WriteRaw(std::span<const std::byte> bytes);
  Status NameTemporary();

  std::filesystem::path path_;
  std::filesystem::path temporary_;  // empty while the file has no name
  Descriptor fd_;
  std::vector<std::byte> buffer_;
  std::uint64_t offset_ = 0;
  Status error_;
};

/// InvalidArgument when `output` is the same file as `source`, by whatever name: what is made from
/// a file must not take its place unasked.
Status CheckOtherFile(const std::filesystem::path& source, const std::filesystem::path& output);

/// Replaces `path` by `bytes`, whole or not at all (see AtomicFileWriter).
Status WriteFileAtomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
Status WriteFileAtomically(const std::filesystem::path& path, std::string_view text);

}  // namespace tandem
