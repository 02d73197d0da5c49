#include "kernels/cpu/neon/float_kernels.h"
#include "kernels/cpu/neon/floats-inl.h"
#include "kernels/cpu/simd/conv-inl.h"

namespace tandem::cpu {

void InstallConvNeon(KernelTable* table) {
  table->conv_silu = &ConvSilu;
}

}  // namespace tandem::cpu
