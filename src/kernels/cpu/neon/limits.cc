#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/neon/float_kernels.h"

// What the machine can do at best, for comparison: a plain stream of reads, and int8 dot products
// that never leave the registers.

namespace tandem::cpu {
namespace {

constexpr std::size_t kVectorBytes = 16;
constexpr std::size_t kChains = 16;   // more than a dot product takes cycles times units
constexpr std::size_t kLine = 64;     // bytes, or more on some CPUs
constexpr std::size_t kAhead = 4096;  // bytes between a prefetch and the read that it serves

void Keep(const int32x4_t* sums) {
  __asm__ volatile("" ::"r"(sums) : "memory");
}

void ReadBytes(const void* p, std::size_t n) {
  int32x4_t sums[kChains] = {};
  const auto* bytes = static_cast<const std::int8_t*>(p);
  for (std::size_t i = 0; i < n; i += kChains * kVectorBytes) {
#pragma GCC unroll 16
    for (std::size_t chain = 0; chain < kChains; ++chain) {
      const std::int8_t* at = bytes + i + chain * kVectorBytes;
      if (chain % (kLine / kVectorBytes) == 0) {
        __builtin_prefetch(at + kAhead);
      }
      sums[chain] = veorq_s32(sums[chain], vreinterpretq_s32_s8(vld1q_s8(at)));
    }
  }
  Keep(sums);
}

std::size_t Int8DotRounds(std::size_t rounds) {
  int32x4_t sums[kChains];
#pragma GCC unroll 16
  for (std::size_t chain = 0; chain < kChains; ++chain) {
    sums[chain] = vdupq_n_s32(static_cast<int>(chain));  // equal ones would be summed once
  }
  int8x16_t codes = vdupq_n_s8(3);
  int8x16_t x = vdupq_n_s8(5);
  for (std::size_t i = 0; i < rounds; ++i) {
    __asm__ volatile("" : "+w"(codes), "+w"(x));  // every round anew
#pragma GCC unroll 16
    for (std::size_t chain = 0; chain < kChains; ++chain) {
      sums[chain] = vdotq_s32(sums[chain], codes, x);
    }
  }
  Keep(sums);
  return rounds * kChains * kVectorBytes * 2;
}

}  // namespace

void InstallLimitsNeon(KernelTable* table) {
  table->read_bytes = &ReadBytes;
  table->int8_dot_rounds = &Int8DotRounds;
}

}  // namespace tandem::cpu
