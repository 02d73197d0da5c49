#pragma once

#include "quant/encode/encoder_table.h"
#include "quant/encode/iq4-inl.h"

namespace tandem::quant {
namespace {

inline void Fill(const char* name, EncoderTable* table) {
  table->name = name;
  table->q4_0 = &EncodeScaled32<BlockQ4_0, false>;
  table->q4_1 = &EncodeAffine32<BlockQ4_1, false>;
  table->q5_0 = &EncodeScaled32<BlockQ5_0, true>;
  table->q5_1 = &EncodeAffine32<BlockQ5_1, true>;
  table->q2_k = &EncodeQ2_K;
  table->q3_k = &EncodeQ3_K;
  table->q4_k = &EncodeK4<BlockQ4_K, false>;
  table->q5_k = &EncodeK4<BlockQ5_K, true>;
  table->q6_k = &EncodeQ6_K;
  table->iq4_nl = &EncodeIQ4_NL;
  table->iq4_xs = &EncodeIQ4_XS;
}

}  // namespace
}  // namespace tandem::quant
