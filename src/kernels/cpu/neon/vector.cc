#include "kernels/cpu/neon/float_kernels.h"
#include "kernels/cpu/neon/floats-inl.h"
#include "kernels/cpu/simd/vector_ops-inl.h"

namespace tandem::cpu {

void InstallVectorOpsNeon(KernelTable* table) {
  InstallVectorOps(table);
}

}  // namespace tandem::cpu
