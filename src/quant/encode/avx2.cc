#include "quant/encode/fill-inl.h"

namespace tandem::quant {

void FillAvx2(EncoderTable* table) {
  Fill("avx2", table);
}

}  // namespace tandem::quant
