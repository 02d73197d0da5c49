#pragma once

#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {

/// Each puts the kernels of one file of this folder into the table.
void InstallVectorOpsNeon(KernelTable* table);
void InstallAttentionNeon(KernelTable* table);
void InstallDeltaNeon(KernelTable* table);
void InstallConvNeon(KernelTable* table);
void InstallFloatMatMulsNeon(KernelTable* table);
void InstallLimitsNeon(KernelTable* table);

}  // namespace tandem::cpu
