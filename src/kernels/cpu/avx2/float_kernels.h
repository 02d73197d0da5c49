#pragma once

#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {

/// Each puts the kernels of one file of this folder into the table.
void InstallVectorOpsAvx2(KernelTable* table);
void InstallAttentionAvx2(KernelTable* table);
void InstallDeltaAvx2(KernelTable* table);
void InstallConvAvx2(KernelTable* table);
void InstallFloatMatMulsAvx2(KernelTable* table);
void InstallLimitsAvx2(KernelTable* table);

}  // namespace tandem::cpu
