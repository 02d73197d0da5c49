#include "kernels/cpu/avx512/matmul.h"

#include "kernels/cpu/avx512/many_tokens-inl.h"
#include "kernels/cpu/avx512/many_tokens32-inl.h"
#include "kernels/cpu/avx512/one_token-inl.h"
#include "kernels/cpu/avx512/one_token32-inl.h"
#include "kernels/cpu/avx512/rows-inl.h"
#include "kernels/cpu/matmul-inl.h"

namespace tandem::cpu {
namespace {

template <typename Format>
void Run32(const MatMulArgs& args) {
  if (FewTokens(args, 1)) {
    RunOneToken32<Format>(args);
  } else {
    RunPanels32<Format>(args);
  }
}

template <typename Format>
void Install32(KernelTable* table) {
  table->matmul[Format::kType] = {Activation::kQ8_0, &Run32<Format>};
}

/// With fewer tokens memory sets the pace, which one panel at a time follows better.
constexpr std::size_t kManyFromTokens = 3 * kManyTokens;

template <typename Format>
void RunSuper(const MatMulArgs& args) {
  if (args.tokens >= kManyFromTokens) {
    RunMany<ManyKernel<Format>>(args);
  } else {
    RunMatMul<SuperKernel<Format>>(args);
  }
}

template <typename Format>
void InstallSuper(KernelTable* table) {
  table->matmul[Format::kType] = {Activation::kQ8K, &RunSuper<Format>};
}

/// With more tokens, dpbusd over panels beats two multiplications per 64 codes; for Q4_K, whose
/// panels are the cheapest to make, with two already.
constexpr std::size_t kFewerTokens = 3;

template <typename OneToken, typename RowKernel, typename Format>
void RunAny(const MatMulArgs& args) {
  if (FewTokens(args, 1)) {
    RunOneToken<OneToken>(args);
  } else if (Format::kType != FormatQ4K::kType && FewTokens(args, kFewerTokens)) {
    RunRows<RowKernel>(args);
  } else {
    RunSuper<Format>(args);
  }
}

void RunIQ4XS(const MatMulArgs& args) {
  if (FewTokens(args, 1)) {
    RunOneToken<OneTokenIQ4XS>(args);
  } else {
    RunSuper<FormatIQ4XS>(args);
  }
}

template <typename OneToken, typename RowKernel>
void InstallRows(KernelTable* table) {
  using Format = typename RowKernel::Base;
  table->matmul[Format::kType] = {Activation::kQ8K, &RunAny<OneToken, RowKernel, Format>};
}

}  // namespace

void InstallAvx512MatMul(KernelTable* table) {
  Install32<FormatQ40>(table);
  Install32<FormatQ41>(table);
  Install32<FormatQ50>(table);
  Install32<FormatQ51>(table);
  Install32<FormatQ80>(table);
  Install32<FormatIQ4NL>(table);
  InstallSuper<FormatQ2K>(table);
  InstallSuper<FormatQ3K>(table);
  InstallRows<OneTokenK4<RowsQ4K>, RowsQ4K>(table);
  InstallRows<OneTokenK4<RowsQ5K>, RowsQ5K>(table);
  InstallRows<OneTokenQ6K, RowsQ6K>(table);
  table->matmul[FormatIQ4XS::kType] = {Activation::kQ8K, &RunIQ4XS};
}

}  // namespace tandem::cpu
