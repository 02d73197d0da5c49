#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/neon/float_kernels.h"
#include "kernels/cpu/neon/matmul.h"
#include "kernels/cpu/neon/quantize.h"

namespace tandem::cpu {

void InstallNeon(KernelTable* table) {
  table->name = "neon";

  InstallNeonQuantize(table);
  InstallNeonMatMul(table);

  InstallVectorOpsNeon(table);
  InstallAttentionNeon(table);
  InstallDeltaNeon(table);
  InstallConvNeon(table);
  InstallFloatMatMulsNeon(table);
  InstallLimitsNeon(table);
}

}  // namespace tandem::cpu
