#include "kernels/cpu/avx512/float_kernels.h"
#include "kernels/cpu/avx512/floats-inl.h"
#include "kernels/cpu/simd/attention-inl.h"
#include "kernels/cpu/simd/full_attention-inl.h"

namespace tandem::cpu {

void InstallAttentionAvx512(KernelTable* table) {
  table->attention = &Attention;
  table->kv_store = &KvStore;
  InstallFullAttention(table);
}

}  // namespace tandem::cpu
