#include "kernels/cpu/avx2/float_kernels.h"
#include "kernels/cpu/avx2/floats-inl.h"
#include "kernels/cpu/simd/float_matmul-inl.h"
#include "kernels/cpu/simd/packed_matmul-inl.h"

namespace tandem::cpu {

void InstallFloatMatMulsAvx2(KernelTable* table) {
  InstallFloatMatMuls(table);
  InstallPackedMatMuls(table);
}

}  // namespace tandem::cpu
