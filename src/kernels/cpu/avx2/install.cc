#include "kernels/cpu/avx2/float_kernels.h"
#include "kernels/cpu/avx2/matmul.h"
#include "kernels/cpu/avx2/quantize.h"
#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {

void InstallAvx2(KernelTable* table) {
  table->name = "avx2";

  InstallAvx2Quantize(table);
  InstallAvx2MatMul(table);
  InstallAvx2CodebookMatMul(table);

  InstallVectorOpsAvx2(table);
  InstallAttentionAvx2(table);
  InstallDeltaAvx2(table);
  InstallConvAvx2(table);
  InstallFloatMatMulsAvx2(table);
  InstallLimitsAvx2(table);
}

}  // namespace tandem::cpu
