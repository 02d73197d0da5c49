#include <immintrin.h>

#include <cstddef>

#include "kernels/cpu/avx2/float_kernels.h"

// What the machine can do at best, for comparison: a plain stream of reads, and int8 dot products
// that never leave the registers.

namespace tandem::cpu {
namespace {

using Vec = __m256i;
constexpr std::size_t kChains = 8;    // more than a dot product takes cycles
constexpr std::size_t kAhead = 4096;  // bytes between a prefetch and the read that it serves

void Keep(const Vec* sums) {
  __asm__ volatile("" ::"r"(sums) : "memory");
}

void ReadBytes(const void* p, std::size_t n) {
  Vec sums[kChains] = {};
  const auto* bytes = static_cast<const char*>(p);
  for (std::size_t i = 0; i < n; i += kChains * sizeof(Vec)) {
#pragma GCC unroll 8
    for (std::size_t chain = 0; chain < kChains; ++chain) {
      const char* at = bytes + i + chain * sizeof(Vec);
      __builtin_prefetch(at + kAhead);
      sums[chain] =
          _mm256_xor_si256(sums[chain], _mm256_loadu_si256(reinterpret_cast<const Vec*>(at)));
    }
  }
  Keep(sums);
}

std::size_t Int8DotRounds(std::size_t rounds) {
  Vec sums[kChains] = {};
  const Vec ones = _mm256_set1_epi16(1);
  Vec codes = _mm256_set1_epi8(3);
  Vec x = _mm256_set1_epi8(5);
  for (std::size_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 8
    for (std::size_t chain = 0; chain < kChains; ++chain) {
      // Products that the compiler knew to be equal would be computed once.
      __asm__ volatile("" : "+x"(codes), "+x"(x));
      sums[chain] =
          _mm256_add_epi32(sums[chain], _mm256_madd_epi16(_mm256_maddubs_epi16(codes, x), ones));
    }
  }
  Keep(sums);
  return rounds * kChains * sizeof(Vec) * 2;
}

}  // namespace

void InstallLimitsAvx2(KernelTable* table) {
  table->read_bytes = &ReadBytes;
  table->int8_dot_rounds = &Int8DotRounds;
}

}  // namespace tandem::cpu
