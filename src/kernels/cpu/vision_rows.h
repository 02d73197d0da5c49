#pragma once

#include <cstddef>

#include "kernels/cpu/kernel_table.h"
#include "kernels/ops.h"

namespace tandem::cpu {

// Rows of the operations that only a vision tower has (LayerNorm, BiasGeluInPlace of ops.h). They
// take a small part of its time, so one version serves every instruction set: sums in double, the
// exponential from the table.

/// See Ops::LayerNorm; x and y may be the same memory.
void LayerNormRow(const float* x, const float* gain, const float* bias, std::size_t n, float eps,
                  float* y);

/// x = gelu(x). scratch: n floats.
void GeluRow(const KernelTable& table, Gelu kind, float* x, std::size_t n, float* scratch);

}  // namespace tandem::cpu
