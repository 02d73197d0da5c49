#include "kernels/cpu/avx512/matmul.h"
#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {

void InstallAvx512Vnni(KernelTable* table) {
  table->name = "avx512vnni";

  InstallAvx512MatMul(table);
}

}  // namespace tandem::cpu
