#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {

void InstallAvx512Vnni(KernelTable* table) {
  table->name = "avx512vnni";
}

}  // namespace tandem::cpu
