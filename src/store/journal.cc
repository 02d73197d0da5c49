#include "store/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/format.h"
#include "store/digest.h"

namespace tandem {
namespace {

// Numbers are in the machine's order: a journal does not leave the machine that wrote it.
struct Header {
  std::array<char, 8> magic;
  std::uint64_t size;
  std::uint64_t block_bytes;
  std::array<char, 64> identity;  // SHA-256 in hex of the file's identity
};
constexpr std::array<char, 8> kMagic = {'T', 'N', 'D', 'M', 'J', 'R', 'N', '1'};

// So that a file has at most about 256 requests, none of which is tiny or huge.
std::uint64_t BlockBytesFor(std::uint64_t size) {
  constexpr std::uint64_t kStep = std::uint64_t{1} << 20;
  const std::uint64_t wanted = (size / 256 + kStep - 1) / kStep * kStep;
  return std::clamp(wanted, kStep, 32 * kStep);
}

Header MakeHeader(std::string_view identity, std::uint64_t size) {
  Header header{.magic = kMagic, .size = size, .block_bytes = BlockBytesFor(size), .identity = {}};
  Digest digest;
  digest.Add(identity);
  const std::string hex = digest.Hex();
  std::copy(hex.begin(), hex.end(), header.identity.begin());
  return header;
}

bool ReadAt(int fd, void* out, std::size_t length, std::uint64_t offset) {
  return pread(fd, out, length, static_cast<off_t>(offset)) == static_cast<ssize_t>(length);
}

bool WriteAt(int fd, const void* bytes, std::size_t length, std::uint64_t offset) {
  const ssize_t put = pwrite(fd, bytes, length, static_cast<off_t>(offset));
  if (put >= 0 && put < static_cast<ssize_t>(length)) {
    errno = ENOSPC;  // a part fitted: the disk is full, which the next call would have said
  }
  return put == static_cast<ssize_t>(length);
}

// The file that is locked may have been removed (by who just finished it) before the lock was
// taken.
bool IsStill(int fd, const std::filesystem::path& path) {
  struct stat opened {};
  struct stat named {};
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

}  // namespace

Result<Journal> Journal::Open(const std::filesystem::path& path, std::string_view identity,
                              std::uint64_t size) {
  Journal journal;
  journal.path_ = path;
  do {
    journal.fd_ = Descriptor(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!journal.fd_.open()) {
      return SystemError("write", path, errno);
    }
    if (flock(journal.fd_.get(), LOCK_EX | LOCK_NB) != 0) {
      return Status(StatusCode::kIo, Format("another process is downloading '{}'",
                                            Printable(path.parent_path().filename().string() + "/" +
                                                      path.stem().stem().string())));
    }
  } while (!IsStill(journal.fd_.get(), path));
  const Header wanted = MakeHeader(identity, size);
  journal.size_ = size;
  journal.block_bytes_ = wanted.block_bytes;
  journal.done_.resize((size + wanted.block_bytes - 1) / wanted.block_bytes);
  Header found{};
  const bool same = ReadAt(journal.fd_.get(), &found, sizeof(found), 0) &&
                    std::memcmp(&found, &wanted, sizeof(found)) == 0;
  const std::size_t table = journal.done_.size() * sizeof(std::uint32_t);
  bool valid = same && ReadAt(journal.fd_.get(), journal.done_.data(), table, sizeof(Header));
  for (std::size_t i = 0; valid && i < journal.done_.size(); ++i) {
    valid = journal.done_[i] <= journal.BlockEnd(i) - journal.BlockBegin(i);
    journal.total_ += journal.done_[i];
  }
  if (!valid) {
    std::fill(journal.done_.begin(), journal.done_.end(), 0);
    journal.total_ = 0;
    TANDEM_RETURN_IF_ERROR(journal.WriteAll(identity));
  }
  return journal;
}

Status Journal::WriteAll(std::string_view identity) {
  const Header header = MakeHeader(identity, size_);
  const std::size_t table = done_.size() * sizeof(std::uint32_t);
  // The table first: a header stands only before a table that is meant.
  if (ftruncate(fd_.get(), 0) != 0 || !WriteAt(fd_.get(), done_.data(), table, sizeof(Header)) ||
      !WriteAt(fd_.get(), &header, sizeof(header), 0)) {
    return SystemError("write", path_, errno);
  }
  return OkStatus();
}

std::uint64_t Journal::BlockEnd(std::size_t block) const {
  return std::min(size_, (block + 1) * block_bytes_);
}

bool Journal::Complete(std::size_t block) const {
  return done_[block] == BlockEnd(block) - BlockBegin(block);
}

std::uint64_t Journal::Frontier() const {
  while (first_open_ < done_.size() && Complete(first_open_)) {
    ++first_open_;
  }
  return first_open_ == done_.size() ? size_ : BlockBegin(first_open_) + done_[first_open_];
}

Status Journal::Advance(std::size_t block, std::uint64_t length) {
  done_[block] += static_cast<std::uint32_t>(length);
  total_ += length;
  if (!WriteAt(fd_.get(), &done_[block], sizeof(done_[block]),
               sizeof(Header) + block * sizeof(std::uint32_t))) {
    return SystemError("write", path_, errno);
  }
  return OkStatus();
}

Status Journal::Clear() {
  std::fill(done_.begin(), done_.end(), 0);
  total_ = 0;
  first_open_ = 0;
  const std::size_t table = done_.size() * sizeof(std::uint32_t);
  return WriteAt(fd_.get(), done_.data(), table, sizeof(Header))
             ? OkStatus()
             : SystemError("write", path_, errno);
}

}  // namespace tandem
