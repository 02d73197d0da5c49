#include "kernels/cpu/avx2/float_kernels.h"
#include "kernels/cpu/avx2/floats-inl.h"
#include "kernels/cpu/simd/attention-inl.h"
#include "kernels/cpu/simd/full_attention-inl.h"

namespace tandem::cpu {

void InstallAttentionAvx2(KernelTable* table) {
  table->attention = &Attention;
  table->kv_store = &KvStore;
  InstallFullAttention(table);
}

}  // namespace tandem::cpu
