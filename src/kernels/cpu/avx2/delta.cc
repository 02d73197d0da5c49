#include "kernels/cpu/avx2/float_kernels.h"
#include "kernels/cpu/avx2/floats-inl.h"
#include "kernels/cpu/simd/delta-inl.h"

namespace tandem::cpu {

void InstallDeltaAvx2(KernelTable* table) {
  table->delta = &Delta;
}

}  // namespace tandem::cpu
