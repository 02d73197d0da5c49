#include "kernels/cpu/neon/float_kernels.h"
#include "kernels/cpu/neon/floats-inl.h"
#include "kernels/cpu/simd/delta-inl.h"

namespace tandem::cpu {

void InstallDeltaNeon(KernelTable* table) {
  table->delta = &Delta;
}

}  // namespace tandem::cpu
