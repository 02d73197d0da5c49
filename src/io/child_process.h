#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "io/descriptor.h"

namespace tandem {

/// Another program at work, of which we read standard output while what it complains about is kept.
/// It runs in a process group of its own, without input, with a bare environment, limited in
/// memory, and without the right to write files; the destructor ends it. Single-threaded.
class ChildProcess {
 public:
  /// arguments[0] is looked for in PATH; NotFound when it is not there, Io when it cannot be
  /// started. address_bytes: of memory that it may map.
  static Result<ChildProcess> Start(const std::vector<std::string>& arguments,
                                    std::uint64_t address_bytes = std::uint64_t{16} << 30);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) = delete;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  /// Reads until `out` is full or the output ends, and returns how many bytes there were.
  /// Cancelled when `cancel` (may be null) becomes true.
  Result<std::size_t> Read(std::span<std::byte> out, const std::atomic<bool>* cancel);

  /// Waits for the end, which comes soon after the end of the output. True: exit code 0.
  bool Succeeded();
  /// The last line that it wrote to standard error; empty when there is none.
  std::string Complaint() const;

 private:
  ChildProcess() = default;
  void TakeComplaints();

  pid_t pid_ = -1;
  Descriptor output_;
  Descriptor errors_;
  std::string complaints_;
};

}  // namespace tandem
