#pragma once

#include <cstdint>
#include <string>

namespace tandem {

/// The machine that a figure was taken on.
struct Machine {
  std::string cpu;        // as the system names it
  std::size_t cores = 0;  // physical ones that this process may use
  std::uint64_t memory_bytes = 0;
  std::string system;  // kernel's name and release
};
Machine DescribeMachine();

/// The most memory that this process has held so far (resident, mapped files included), in bytes.
std::uint64_t PeakResidentBytes();

}  // namespace tandem
