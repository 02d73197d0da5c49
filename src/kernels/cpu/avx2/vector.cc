#include "kernels/cpu/avx2/float_kernels.h"
#include "kernels/cpu/avx2/floats-inl.h"
#include "kernels/cpu/simd/vector_ops-inl.h"

namespace tandem::cpu {

void InstallVectorOpsAvx2(KernelTable* table) {
  InstallVectorOps(table);
}

}  // namespace tandem::cpu
