#pragma once

#include <cstddef>
#include <string>

#include "base/status.h"

namespace tandem {

/// What a machine can do at best.
struct MachineLimits {
  double read_bytes_per_second = 0;  // of memory, by all threads together
  double int8_ops_per_second = 0;    // multiplications and additions of int8 dot products
};

/// Measures both with `threads` threads and the best instructions that `isa` allows (about two
/// seconds, one GiB of memory while it runs). Errors of MakeCpuOps for the ISA; OutOfMemory.
Result<MachineLimits> MeasureLimits(const std::string& isa, std::size_t threads);

}  // namespace tandem
