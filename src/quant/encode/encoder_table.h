#pragma once

#include <cstddef>

namespace tandem::quant {

/// values, importance: `count` blocks' worth; importance may be null: all values count the same.
using BlockEncoder = void (*)(const float* values, const float* importance, std::size_t count,
                              std::byte* blocks);

/// The searching encoders, compiled for one instruction set. All sets give the same bits.
struct EncoderTable {
  const char* name;
  BlockEncoder q4_0;
  BlockEncoder q4_1;
  BlockEncoder q5_0;
  BlockEncoder q5_1;
  BlockEncoder q2_k;
  BlockEncoder q3_k;
  BlockEncoder q4_k;
  BlockEncoder q5_k;
  BlockEncoder q6_k;
  BlockEncoder iq4_nl;
  BlockEncoder iq4_xs;
};

void FillBaseline(EncoderTable* table);
void FillAvx2(EncoderTable* table);
void FillAvx512(EncoderTable* table);

/// The table for this machine.
const EncoderTable& Encoders();

/// The encoder of one format on this machine: `&EncodeBest<&EncoderTable::q4_k>`.
template <BlockEncoder EncoderTable::*kField>
void EncodeBest(const float* values, const float* importance, std::size_t count,
                std::byte* blocks) {
  (Encoders().*kField)(values, importance, count, blocks);
}

/// The table of "baseline", "avx2" or "avx512"; null name: unknown, or not for this machine. For
/// tests and benchmarks.
EncoderTable EncodersOf(const char* name);

}  // namespace tandem::quant
