#include "tests/faults/fault_points.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "tests/faults/replaced_new.h"

// Operator new and the wrapped calls have no other place for this.
// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables): see above.
namespace {

struct Counter {
  std::atomic<bool> armed{false};
  std::atomic<std::size_t> calls{0};
  std::atomic<std::size_t> first{0};  // that fails
  std::atomic<bool> rest{false};      // and all behind it
};
Counter allocations;
Counter files;

Counter& Of(tandem::faults::Kind kind) {
  return kind == tandem::faults::Kind::kAllocation ? allocations : files;
}

/// Whether this call is to fail.
bool Fails(Counter& counter) {
  if (!counter.armed.load(std::memory_order_relaxed)) {
    return false;
  }
  const std::size_t call = ++counter.calls;
  const std::size_t first = counter.first.load(std::memory_order_relaxed);
  return first != 0 &&
         (call == first || (call > first && counter.rest.load(std::memory_order_relaxed)));
}

}  // namespace
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)

bool tandem::tests::OnAllocation() noexcept {
  return !Fails(allocations);
}

// A constructor of the JSON library that memory ends in does not give back what it holds
// (docs/errors.md). Nothing else may leak.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:nlohmann::json_abi\n";
}

// Calls of Tandem's code come here (ld --wrap), those of libraries do not.
extern "C" {
int __real_open(const char* path, int flags, ...);
int __real_fstat(int fd, struct stat* info);
ssize_t __real_read(int fd, void* buffer, size_t size);
ssize_t __real_pread(int fd, void* buffer, size_t size, off_t offset);
ssize_t __real_write(int fd, const void* buffer, size_t size);
ssize_t __real_pwrite(int fd, const void* buffer, size_t size, off_t offset);
void* __real_mmap(void* address, size_t size, int protection, int flags, int fd, off_t offset);
int __real_fsync(int fd);
int __real_ftruncate(int fd, off_t size);
int __real_linkat(int from_fd, const char* from, int to_fd, const char* to, int flags);
int __real_rename(const char* from, const char* to);

int __wrap_open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if (Fails(files)) {
    errno = EIO;
    return -1;
  }
  return __real_open(path, flags, mode);
}
int __wrap_fstat(int fd, struct stat* info) {
  if (Fails(files)) {
    errno = EIO;
    return -1;
  }
  return __real_fstat(fd, info);
}
ssize_t __wrap_read(int fd, void* buffer, size_t size) {
  if (Fails(files)) {
    errno = EIO;
    return -1;
  }
  return __real_read(fd, buffer, size);
}
ssize_t __wrap_pread(int fd, void* buffer, size_t size, off_t offset) {
  if (Fails(files)) {
    errno = EIO;
    return -1;
  }
  return __real_pread(fd, buffer, size, offset);
}
ssize_t __wrap_write(int fd, const void* buffer, size_t size) {
  if (Fails(files)) {
    errno = ENOSPC;
    return -1;
  }
  return __real_write(fd, buffer, size);
}
ssize_t __wrap_pwrite(int fd, const void* buffer, size_t size, off_t offset) {
  if (Fails(files)) {
    errno = ENOSPC;
    return -1;
  }
  return __real_pwrite(fd, buffer, size, offset);
}
void* __wrap_mmap(void* address, size_t size, int protection, int flags, int fd, off_t offset) {
  if (Fails(files)) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return __real_mmap(address, size, protection, flags, fd, offset);
}
int __wrap_fsync(int fd) {
  if (Fails(files)) {
    errno = EIO;
    return -1;
  }
  return __real_fsync(fd);
}
int __wrap_ftruncate(int fd, off_t size) {
  if (Fails(files)) {
    errno = EIO;
    return -1;
  }
  return __real_ftruncate(fd, size);
}
int __wrap_linkat(int from_fd, const char* from, int to_fd, const char* to, int flags) {
  if (Fails(files)) {
    errno = EACCES;
    return -1;
  }
  return __real_linkat(from_fd, from, to_fd, to, flags);
}
int __wrap_rename(const char* from, const char* to) {
  if (Fails(files)) {
    errno = EACCES;
    return -1;
  }
  return __real_rename(from, to);
}
}  // extern "C"

namespace tandem::faults {

Fault::Fault(Kind kind, std::size_t n, Span span) : kind_(kind) {
  Counter& counter = Of(kind);
  counter.calls = 0;
  counter.first = n;
  counter.rest = span == Span::kRest;
  counter.armed = true;
}

Fault::~Fault() {
  Disarm();
}

std::size_t Fault::calls() const {
  return Of(kind_).calls;
}

void Fault::Disarm() {
  Of(kind_).armed = false;
}

std::size_t Sweep(std::size_t calls, std::size_t most,
                  const std::function<void(std::size_t)>& run) {
  const std::size_t ends = most / 4;
  const std::size_t step = calls <= most ? 1 : std::max<std::size_t>(1, 2 * calls / most);
  std::size_t runs = 0;
  for (std::size_t n = 1; n <= calls; ++n) {
    const bool near_an_end = n <= ends || n + ends > calls;
    if (near_an_end || n % step == 0) {
      run(n);
      ++runs;
    }
  }
  return runs;
}

}  // namespace tandem::faults
