#pragma once

#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {

/// Puts the quantised matrix products into the table.
void InstallNeonMatMul(KernelTable* table);

}  // namespace tandem::cpu
