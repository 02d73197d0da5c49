#include "kernels/cpu/avx2/float_kernels.h"
#include "kernels/cpu/avx2/floats-inl.h"
#include "kernels/cpu/simd/conv-inl.h"

namespace tandem::cpu {

void InstallConvAvx2(KernelTable* table) {
  table->conv_silu = &ConvSilu;
}

}  // namespace tandem::cpu
