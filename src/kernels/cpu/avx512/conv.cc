#include "kernels/cpu/avx512/float_kernels.h"
#include "kernels/cpu/avx512/floats-inl.h"
#include "kernels/cpu/simd/conv-inl.h"

namespace tandem::cpu {

void InstallConvAvx512(KernelTable* table) {
  table->conv_silu = &ConvSilu;
}

}  // namespace tandem::cpu
