#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {

void InstallAvx2(KernelTable* table) {
  table->name = "avx2";
}

}  // namespace tandem::cpu
