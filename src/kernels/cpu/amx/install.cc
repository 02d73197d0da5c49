#include "kernels/cpu/amx/matmul.h"
#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {

void InstallAmx(KernelTable* table) {
  table->name = "amx";

  InstallAmxMatMul(table);
}

}  // namespace tandem::cpu
