#include "kernels/cpu/avx512/matmul.h"

#include "kernels/cpu/avx512/dot-inl.h"
#include "kernels/cpu/matmul-inl.h"

namespace tandem::cpu {
namespace {

template <typename Kernel>
void Install(Activation activation, KernelTable* table) {
  table->matmul[Kernel::kType] = {activation, &RunMatMul<Kernel>};
}

}  // namespace

void InstallAvx512MatMul(KernelTable* table) {
  Install<Kernel32<FormatQ80>>(Activation::kQ8_0, table);
  Install<SuperKernel<FormatQ4K>>(Activation::kQ8K, table);
  Install<SuperKernel<FormatQ5K>>(Activation::kQ8K, table);
  Install<SuperKernel<FormatQ6K>>(Activation::kQ8K, table);
}

}  // namespace tandem::cpu
