#include "kernels/cpu/avx512/codebook_rows-inl.h"
#include "kernels/cpu/avx512/dot-inl.h"
#include "kernels/cpu/avx512/many_tokens32-inl.h"
#include "kernels/cpu/avx512/matmul.h"
#include "kernels/cpu/matmul-inl.h"
#include "kernels/cpu/mxfp4-inl.h"

namespace tandem::cpu {
namespace {

template <typename Decoder>
void RunCodebook(const MatMulArgs& args) {
  using Format = ByRows<Decoder>;
  if (!FewTokens(args, kMostRowTokens)) {
    return RunMatMul<SuperKernel<Format>>(args);
  }
  switch (args.tokens) {
    case 1:
      return RunRowsOf<Format, 1>(args);
    case 2:
      return RunRowsOf<Format, 2>(args);
    case 3:
      return RunRowsOf<Format, 3>(args);
    case 4:
      return RunRowsOf<Format, 4>(args);
    default:  // where a panel pays
      return RunMatMul<SuperKernel<Format>>(args);
  }
}

template <typename Decoder>
void Install(KernelTable* table) {
  table->matmul[Decoder::kType] = {Activation::kQ8K, &RunCodebook<Decoder>};
}

}  // namespace

void InstallAvx512CodebookMatMul(KernelTable* table) {
  Install<DecoderIQ1S>(table);
  Install<DecoderIQ1M>(table);
  Install<DecoderIQ2XXS>(table);
  Install<DecoderIQ2XS>(table);
  Install<DecoderIQ2S>(table);
  Install<DecoderIQ3XXS>(table);
  Install<DecoderIQ3S>(table);
  Install<DecoderTQ1>(table);
  Install<DecoderTQ2>(table);
  table->matmul[FormatMXFP4::kType] = {Activation::kQ8_0, &RunPanels32<FormatMXFP4>};
}

}  // namespace tandem::cpu
