#include "quant/encode/fill-inl.h"

namespace tandem::quant {

void FillBaseline(EncoderTable* table) {
  Fill("baseline", table);
}

}  // namespace tandem::quant
