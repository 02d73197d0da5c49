#pragma once

#include <cstddef>
#include <functional>

namespace tandem::faults {

/// What can be made to fail: every operator new of the program, or every system call of Tandem's
/// own code on files (see the --wrap options of the test program).
enum class Kind { kAllocation, kFile };

/// How a fault goes on.
enum class Span {
  kOne,   // that call alone fails, as when memory is found again or the disk answers late
  kRest,  // it and all that follow fail, as when there is none left
};

/// While one lives, the `n`-th call of `kind` from now (from 1) fails; with n = 0 calls are only
/// counted. One at a time; counts calls of all threads.
class Fault {
 public:
  Fault(Kind kind, std::size_t n, Span span = Span::kOne);
  ~Fault();
  Fault(const Fault&) = delete;
  Fault& operator=(const Fault&) = delete;

  /// Calls so far.
  std::size_t calls() const;
  /// Nothing fails any more.
  void Disarm();

 private:
  Kind kind_;
};

/// Runs `run` once to count its calls, then once for each of them, with that one failing: all when
/// there are at most `most`, else as many spread over them, the first and last ones without gaps.
/// `run` gets the number of the call that fails, 0 for the first time, and makes its own Fault.
/// Returns how many runs there were.
std::size_t Sweep(std::size_t calls, std::size_t most, const std::function<void(std::size_t)>& run);

}  // namespace tandem::faults
