#include "kernels/cpu/avx512/matmul.h"

#include "kernels/cpu/avx512/dot-inl.h"
#include "kernels/cpu/avx512/one_token-inl.h"
#include "kernels/cpu/avx512/rows-inl.h"
#include "kernels/cpu/matmul-inl.h"

namespace tandem::cpu {
namespace {

template <typename Kernel>
void Install(Activation activation, KernelTable* table) {
  table->matmul[Kernel::kType] = {activation, &RunMatMul<Kernel>};
}

/// With more tokens, dpbusd over panels beats two multiplications per 64 codes; for Q4_K, whose
/// panels are the cheapest to make, with two already.
constexpr std::size_t kFewerTokens = 3;

template <typename OneToken, typename RowKernel, typename Kernel>
void RunAny(const MatMulArgs& args) {
  if (FewTokens(args, 1)) {
    RunOneToken<OneToken>(args);
  } else if (Kernel::kType != FormatQ4K::kType && FewTokens(args, kFewerTokens)) {
    RunRows<RowKernel>(args);
  } else {
    RunMatMul<Kernel>(args);
  }
}

template <typename OneToken, typename RowKernel>
void InstallRows(KernelTable* table) {
  using Kernel = SuperKernel<typename RowKernel::Base>;
  table->matmul[Kernel::kType] = {Activation::kQ8K, &RunAny<OneToken, RowKernel, Kernel>};
}

}  // namespace

void InstallAvx512MatMul(KernelTable* table) {
  Install<Kernel32<FormatQ40>>(Activation::kQ8_0, table);
  Install<Kernel32<FormatQ41>>(Activation::kQ8_0, table);
  Install<Kernel32<FormatQ50>>(Activation::kQ8_0, table);
  Install<Kernel32<FormatQ51>>(Activation::kQ8_0, table);
  Install<Kernel32<FormatQ80>>(Activation::kQ8_0, table);
  Install<Kernel32<FormatIQ4NL>>(Activation::kQ8_0, table);
  Install<SuperKernel<FormatQ2K>>(Activation::kQ8K, table);
  Install<SuperKernel<FormatQ3K>>(Activation::kQ8K, table);
  InstallRows<OneTokenK4<RowsQ4K>, RowsQ4K>(table);
  InstallRows<OneTokenK4<RowsQ5K>, RowsQ5K>(table);
  InstallRows<OneTokenQ6K, RowsQ6K>(table);
  Install<SuperKernel<FormatIQ4XS>>(Activation::kQ8K, table);
}

}  // namespace tandem::cpu
