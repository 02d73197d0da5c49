#include "quant/encode/fill-inl.h"

namespace tandem::quant {

void FillAvx512(EncoderTable* table) {
  Fill("avx512", table);
}

}  // namespace tandem::quant
