#include "kernels/cpu/avx512/float_kernels.h"
#include "kernels/cpu/avx512/floats-inl.h"
#include "kernels/cpu/simd/delta-inl.h"

namespace tandem::cpu {

void InstallDeltaAvx512(KernelTable* table) {
  table->delta = &Delta;
}

}  // namespace tandem::cpu
