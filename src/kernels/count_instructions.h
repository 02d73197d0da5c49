#pragma once

#include <signal.h>
#include <ucontext.h>
#include <x86intrin.h>

#include <cstdint>

#include "base/function_ref.h"

// Counting the instructions of a call, on x86-64, without hardware counters: with the trap flag set
// the processor interrupts itself after each. For tests and benchmarks, ten microseconds or so per
// instruction.

namespace tandem::cpu {

// What the signal handler writes; a handler has no other place.
inline volatile std::uint64_t counted_instructions = 0;
inline volatile std::uint64_t last_address = 0;

inline void CountInstruction(int /*signal*/, siginfo_t* /*info*/, void* context) {
  const auto address =
      static_cast<std::uint64_t>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
  // A string instruction stops after each repetition, at its own address.
  if (address != last_address) {
    counted_instructions = counted_instructions + 1;
  }
  last_address = address;
}

/// Those of run() and a few around it, always as many; 0 where the trap flag does nothing. Takes
/// over SIGTRAP meanwhile; one thread of the process at a time.
[[gnu::noinline]] inline std::uint64_t InstructionsOf(FunctionRef<void()> run) {
  constexpr unsigned long long kTrapFlag = 0x100;
  struct sigaction action = {};
  struct sigaction before = {};
  action.sa_sigaction = &CountInstruction;
  action.sa_flags = SA_SIGINFO;
  (void)::sigaction(SIGTRAP, &action, &before);
  counted_instructions = 0;
  __writeeflags(__readeflags() | kTrapFlag);
  run();
  __writeeflags(__readeflags() & ~kTrapFlag);
  (void)::sigaction(SIGTRAP, &before, nullptr);
  return counted_instructions;
}

}  // namespace tandem::cpu
