#include "kernels/cpu/neon/float_kernels.h"
#include "kernels/cpu/neon/floats-inl.h"

// attention_tiles-inl.h asks for memory ahead of its use by the x86 name.
#define _MM_HINT_T1 2
#define _mm_prefetch(address, level) __builtin_prefetch(address, 0, level)
#include "kernels/cpu/simd/attention-inl.h"
#include "kernels/cpu/simd/full_attention-inl.h"

namespace tandem::cpu {

void InstallAttentionNeon(KernelTable* table) {
  table->attention = &Attention;
  table->kv_store = &KvStore;
  InstallFullAttention(table);
}

}  // namespace tandem::cpu
