#pragma once

#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {

/// Puts the quantised matrix products into the table: tiles for many tokens, vectors for few.
void InstallAmxMatMul(KernelTable* table);

}  // namespace tandem::cpu
