#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/descriptor.h"

namespace tandem {

/// Which bytes of a file that is being downloaded are there: for each block how many from its
/// start. Kept in a small file beside it, written after the bytes themselves, so that a download
/// goes on after its process was killed. The file is locked while this object lives: one writer at
/// a time. Move-only, single-threaded.
class Journal {
 public:
  /// Opens or makes `path`. A journal of another `identity`, size or version is emptied: the bytes
  /// it speaks of are of another file. Io when another process holds it.
  static Result<Journal> Open(const std::filesystem::path& path, std::string_view identity,
                              std::uint64_t size);

  std::uint64_t size() const { return size_; }
  std::uint64_t block_bytes() const { return block_bytes_; }
  std::size_t blocks() const { return done_.size(); }
  std::uint64_t BlockBegin(std::size_t block) const { return block * block_bytes_; }
  std::uint64_t BlockEnd(std::size_t block) const;
  /// Bytes of the block that are there, from its start.
  std::uint64_t Done(std::size_t block) const { return done_[block]; }
  bool Complete(std::size_t block) const;
  /// Bytes of all blocks that are there.
  std::uint64_t TotalDone() const { return total_; }
  /// Bytes from the start of the file without a gap.
  std::uint64_t Frontier() const;

  /// `length` more bytes of `block` are in the file.
  Status Advance(std::size_t block, std::uint64_t length);
  /// Nothing is there any more.
  Status Clear();

 private:
  Journal() = default;
  Status WriteAll(std::string_view identity);

  std::filesystem::path path_;
  Descriptor fd_;
  std::uint64_t size_ = 0;
  std::uint64_t block_bytes_ = 0;
  std::vector<std::uint32_t> done_;
  std::uint64_t total_ = 0;
  mutable std::size_t first_open_ = 0;  // blocks before it are complete
};

}  // namespace tandem
