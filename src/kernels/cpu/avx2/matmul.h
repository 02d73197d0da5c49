#pragma once

#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {

/// Puts the quantised matrix products into the table.
void InstallAvx2MatMul(KernelTable* table);
/// Those of the codebook and ternary formats and of MXFP4.
void InstallAvx2CodebookMatMul(KernelTable* table);

}  // namespace tandem::cpu
