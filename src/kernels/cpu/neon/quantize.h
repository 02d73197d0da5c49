#pragma once

#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {

/// Puts the rounding of activations to int8 blocks into the table.
void InstallNeonQuantize(KernelTable* table);

}  // namespace tandem::cpu
