#include <immintrin.h>

#include <cstddef>

#include "kernels/cpu/avx512/float_kernels.h"

// What the machine can do at best, for comparison: a plain stream of reads, and int8 dot products
// that never leave the registers.

namespace tandem::cpu {
namespace {

using Vec = __m512i;
constexpr std::size_t kChains = 8;
constexpr std::size_t kProductChains = 12;  // two units of up to five cycles
constexpr std::size_t kAhead = 4096;        // bytes between a prefetch and the read that it serves

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
          _mm512_xor_si512(sums[chain], _mm512_loadu_si512(reinterpret_cast<const Vec*>(at)));
    }
  }
  Keep(sums);
}

std::size_t Int8DotRounds(std::size_t rounds) {
  Vec sums[kProductChains];
#pragma GCC unroll 12
  for (std::size_t chain = 0; chain < kProductChains; ++chain) {
    sums[chain] = _mm512_set1_epi32(static_cast<int>(chain));  // equal ones would be summed once
  }
  Vec codes = _mm512_set1_epi8(3);
  Vec x = _mm512_set1_epi8(5);
  for (std::size_t i = 0; i < rounds; ++i) {
    __asm__ volatile("" : "+v"(codes), "+v"(x));  // every round anew
#pragma GCC unroll 12
    for (std::size_t chain = 0; chain < kProductChains; ++chain) {
      sums[chain] = _mm512_dpbusd_epi32(sums[chain], codes, x);
    }
  }
  Keep(sums);
  return rounds * kProductChains * sizeof(Vec) * 2;
}

}  // namespace

void InstallLimitsAvx512(KernelTable* table) {
  table->read_bytes = &ReadBytes;
  table->int8_dot_rounds = &Int8DotRounds;
}

}  // namespace tandem::cpu
