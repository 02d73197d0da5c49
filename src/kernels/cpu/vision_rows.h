#pragma once

#include <cstddef>

#include "kernels/cpu/kernel_table.h"
#include "kernels/ops.h"

namespace tandem::cpu {

// Rows of Ops::GeluInPlace, which only a vision tower has. It takes a small part of its time, so
// one version serves every instruction set: the exponential comes from the table.

/// x = gelu(x). scratch: n floats.
void GeluRow(const KernelTable& table, Gelu kind, float* x, std::size_t n, float* scratch);

}  // namespace tandem::cpu
