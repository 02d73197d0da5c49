#include "kernels/cpu/avx512/float_kernels.h"
#include "kernels/cpu/avx512/matmul.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {

void InstallAvx512Vnni(KernelTable* table) {
  table->name = "avx512vnni";

  // Measured on Zen 5 and on Sapphire Rapids' kind (docs/performance.md).
  InstallAvx512MatMul(table, IsIntel() ? ReadStreams::kFour : ReadStreams::kOne);
  InstallAvx512CodebookMatMul(table);

  InstallVectorOpsAvx512(table);
  InstallAttentionAvx512(table);
  InstallDeltaAvx512(table);
  InstallConvAvx512(table);
  InstallFloatMatMulsAvx512(table);
  InstallLimitsAvx512(table);
}

}  // namespace tandem::cpu
