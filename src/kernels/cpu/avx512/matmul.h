#pragma once

#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {

/// Puts the quantised matrix products into the table.
void InstallAvx512MatMul(KernelTable* table);

}  // namespace tandem::cpu
