#pragma once

#include <immintrin.h>

#include <cstddef>

namespace tandem::cpu {
namespace {

/// v[i] lane j becomes v[j] lane i.
inline void Transpose(__m512i (&v)[16]) {
  __m512i fours[16];  // 4 g + i: 128-bit lane L holds lane 4 L + i of v[4 g ... 4 g + 3]
#pragma GCC unroll 4
  for (std::size_t g = 0; g < 16; g += 4) {
    const __m512i ab_low = _mm512_unpacklo_epi32(v[g], v[g + 1]);
    const __m512i cd_low = _mm512_unpacklo_epi32(v[g + 2], v[g + 3]);
    const __m512i ab_high = _mm512_unpackhi_epi32(v[g], v[g + 1]);
    const __m512i cd_high = _mm512_unpackhi_epi32(v[g + 2], v[g + 3]);
    fours[g] = _mm512_unpacklo_epi64(ab_low, cd_low);
    fours[g + 1] = _mm512_unpackhi_epi64(ab_low, cd_low);
    fours[g + 2] = _mm512_unpacklo_epi64(ab_high, cd_high);
    fours[g + 3] = _mm512_unpackhi_epi64(ab_high, cd_high);
  }
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    const __m512i even_low = _mm512_shuffle_i32x4(fours[i], fours[4 + i], 0x88);
    const __m512i even_high = _mm512_shuffle_i32x4(fours[8 + i], fours[12 + i], 0x88);
    const __m512i odd_low = _mm512_shuffle_i32x4(fours[i], fours[4 + i], 0xDD);
    const __m512i odd_high = _mm512_shuffle_i32x4(fours[8 + i], fours[12 + i], 0xDD);
    v[i] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
    v[4 + i] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
    v[8 + i] = _mm512_shuffle_i32x4(even_low, even_high, 0xDD);
    v[12 + i] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xDD);
  }
}

}  // namespace
}  // namespace tandem::cpu
