#include "kernels/cpu/avx2/matmul.h"

#include "kernels/cpu/avx2/dot-inl.h"
#include "kernels/cpu/matmul-inl.h"

namespace tandem::cpu {
namespace {

template <typename Kernel>
void Install(Activation activation, KernelTable* table) {
  table->matmul[Kernel::kType] = {activation, &RunMatMul<Kernel>};
}

}  // namespace

void InstallAvx2MatMul(KernelTable* table) {
  Install<Kernel32<FormatQ40>>(Activation::kQ8_0, table);
  Install<Kernel32<FormatQ41>>(Activation::kQ8_0, table);
  Install<Kernel32<FormatQ50>>(Activation::kQ8_0, table);
  Install<Kernel32<FormatQ51>>(Activation::kQ8_0, table);
  Install<Kernel32<FormatQ80>>(Activation::kQ8_0, table);
  Install<Kernel32<FormatIQ4NL>>(Activation::kQ8_0, table);
  Install<SuperKernel<FormatQ2K>>(Activation::kQ8K, table);
  Install<SuperKernel<FormatQ3K>>(Activation::kQ8K, table);
  Install<SuperKernel<FormatQ4K>>(Activation::kQ8K, table);
  Install<SuperKernel<FormatQ5K>>(Activation::kQ8K, table);
  Install<SuperKernel<FormatQ6K>>(Activation::kQ8K, table);
  Install<SuperKernel<FormatIQ4XS>>(Activation::kQ8K, table);
}

}  // namespace tandem::cpu
