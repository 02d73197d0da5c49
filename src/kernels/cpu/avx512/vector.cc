#include "kernels/cpu/avx512/float_kernels.h"
#include "kernels/cpu/avx512/floats-inl.h"
#include "kernels/cpu/simd/vector_ops-inl.h"

namespace tandem::cpu {

void InstallVectorOpsAvx512(KernelTable* table) {
  InstallVectorOps(table);
}

}  // namespace tandem::cpu
