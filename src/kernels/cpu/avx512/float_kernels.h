#pragma once

#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {

/// Each puts the kernels of one file of this folder into the table.
void InstallVectorOpsAvx512(KernelTable* table);
void InstallAttentionAvx512(KernelTable* table);
void InstallDeltaAvx512(KernelTable* table);
void InstallConvAvx512(KernelTable* table);
void InstallFloatMatMulsAvx512(KernelTable* table);
void InstallLimitsAvx512(KernelTable* table);

}  // namespace tandem::cpu
