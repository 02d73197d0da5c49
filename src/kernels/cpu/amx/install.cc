#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {

void InstallAmx(KernelTable* table) {
  table->name = "amx";
}

}  // namespace tandem::cpu
