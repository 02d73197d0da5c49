#include "kernels/cpu/neon/float_kernels.h"
#include "kernels/cpu/neon/floats-inl.h"
#include "kernels/cpu/simd/float_matmul-inl.h"
#include "kernels/cpu/simd/packed_matmul-inl.h"

namespace tandem::cpu {

void InstallFloatMatMulsNeon(KernelTable* table) {
  InstallFloatMatMuls(table);
  InstallPackedMatMuls(table);
}

}  // namespace tandem::cpu
