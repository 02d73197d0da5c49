#pragma once

#include <atomic>

namespace tandem {

/// Turns Ctrl-C (and SIGTERM, SIGHUP) into a flag that a running answer looks at, while an object
/// of this class lives; at most one may. System calls that wait return with EINTR. A second signal
/// before Clear() ends the program at once.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  /// For GenerateOptions::cancel; valid for the whole program.
  const std::atomic<bool>* flag() const;
  bool interrupted() const;
  /// Only Ctrl-C is forgotten: a program that was told to end still ends.
  void Clear();
};

}  // namespace tandem
