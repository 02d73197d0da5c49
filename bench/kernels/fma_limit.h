#pragma once

#include <immintrin.h>

#include <cstddef>

namespace tandem::cpu {

/// Fused multiply-adds from registers, the limit of float kernels: twelve independent chains, as
/// many as two units of four cycles want and more. Each round is kMultiplyAddChains of them per
/// lane. start: kMultiplyAddChains values and a factor; returns the chains' sum, lane 0.
inline constexpr std::size_t kMultiplyAddChains = 12;

__attribute__((target("avx512f"))) inline float MultiplyAdds512(std::size_t rounds,
                                                                const float* start) {
  __m512 acc[kMultiplyAddChains];
#pragma GCC unroll 12
  for (std::size_t i = 0; i < kMultiplyAddChains; ++i) {
    acc[i] = _mm512_set1_ps(start[i]);
  }
  const __m512 x = _mm512_set1_ps(start[kMultiplyAddChains]);
  for (std::size_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (std::size_t i = 0; i < kMultiplyAddChains; ++i) {
      acc[i] = _mm512_fmadd_ps(acc[i], x, x);
    }
  }
#pragma GCC unroll 12
  for (std::size_t i = 1; i < kMultiplyAddChains; ++i) {
    acc[0] = _mm512_add_ps(acc[0], acc[i]);
  }
  return _mm512_cvtss_f32(acc[0]);
}

__attribute__((target("avx2,fma"))) inline float MultiplyAdds256(std::size_t rounds,
                                                                 const float* start) {
  __m256 acc[kMultiplyAddChains];
#pragma GCC unroll 12
  for (std::size_t i = 0; i < kMultiplyAddChains; ++i) {
    acc[i] = _mm256_set1_ps(start[i]);
  }
  const __m256 x = _mm256_set1_ps(start[kMultiplyAddChains]);
  for (std::size_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (std::size_t i = 0; i < kMultiplyAddChains; ++i) {
      acc[i] = _mm256_fmadd_ps(acc[i], x, x);
    }
  }
#pragma GCC unroll 12
  for (std::size_t i = 1; i < kMultiplyAddChains; ++i) {
    acc[0] = _mm256_add_ps(acc[0], acc[i]);
  }
  return _mm256_cvtss_f32(acc[0]);
}

}  // namespace tandem::cpu
