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

template <typename Format, std::size_t kFrom = kManyFromTokens>
void RunSuper(const MatMulArgs& args) {
  if (args.tokens >= kFrom) {
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
template <typename Format>
constexpr std::size_t kRowTokens = Format::kType == FormatQ4K::kType ? 1 : 3;

template <typename OneToken, typename RowKernel>
void RunOneStream(const MatMulArgs& args) {
  using Format = typename RowKernel::Base;
  if (FewTokens(args, 1)) {
    RunOneToken<OneToken>(args);
  } else if (FewTokens(args, kRowTokens<Format>)) {
    RunRows<RowKernel>(args);
  } else {
    RunSuper<Format>(args);
  }
}

/// Where four streams are the faster way to read, one panel at a time never is the fastest.
constexpr std::size_t kFourStreamTokens = 6;

template <typename RowKernel>
void RunFourStreams(const MatMulArgs& args) {
  if (FewTokens(args, kFourStreamTokens)) {
    RunRows<RowKernel>(args);
  } else {
    RunSuper<typename RowKernel::Base, kFourStreamTokens + 1>(args);
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
void InstallRows(KernelTable* table, ReadStreams streams) {
  table->matmul[RowKernel::Base::kType] = {
      Activation::kQ8K, streams == ReadStreams::kOne ? &RunOneStream<OneToken, RowKernel>
                                                     : &RunFourStreams<RowKernel>};
}

}  // namespace

void InstallAvx512MatMul(KernelTable* table, ReadStreams streams) {
  Install32<FormatQ40>(table);
  Install32<FormatQ41>(table);
  Install32<FormatQ50>(table);
  Install32<FormatQ51>(table);
  Install32<FormatQ80>(table);
  Install32<FormatIQ4NL>(table);
  InstallSuper<FormatQ2K>(table);
  InstallSuper<FormatQ3K>(table);
  InstallRows<OneTokenK4<RowsQ4K>, RowsQ4K>(table, streams);
  InstallRows<OneTokenK4<RowsQ5K>, RowsQ5K>(table, streams);
  InstallRows<OneTokenQ6K, RowsQ6K>(table, streams);
  table->matmul[FormatIQ4XS::kType] = {Activation::kQ8K, &RunIQ4XS};
}

}  // namespace tandem::cpu
