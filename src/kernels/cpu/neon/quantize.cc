#include "kernels/cpu/neon/quantize.h"

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace tandem::cpu {
namespace {

float MaxMagnitude(const float* x, std::size_t n) {
  float32x4_t max = vdupq_n_f32(0);
  for (std::size_t i = 0; i < n; i += 4) {
    // A NaN of x is passed over, as in the scalar twin.
    const float32x4_t magnitude = vabsq_f32(vld1q_f32(x + i));
    max = vbslq_f32(vcgtq_f32(magnitude, max), magnitude, max);
  }
  return vmaxvq_f32(max);
}

int16x4_t Round4(const float* x, float32x4_t inverse) {
  return vqmovn_s32(vcvtnq_s32_f32(vmulq_f32(vld1q_f32(x), inverse)));
}

int8x16_t Round16(const float* x, float32x4_t inverse) {
  const int16x8_t low = vcombine_s16(Round4(x, inverse), Round4(x + 4, inverse));
  const int16x8_t high = vcombine_s16(Round4(x + 8, inverse), Round4(x + 12, inverse));
  return vcombine_s8(vqmovn_s16(low), vqmovn_s16(high));
}

struct Scale {
  float d;
  float inverse;
};

Scale ScaleOfBlock(const float* x, std::size_t n) {
  const float max = MaxMagnitude(x, n);
  if (max < kTinyActivation) {
    return {0, 0};
  }
  return {max / 127.0F, 127.0F / max};
}

void QuantizeQ8K(const float* x, std::size_t n, BlockQ8K* out, std::size_t slots) {
  for (std::size_t b = 0; b < n / 256; ++b, x += 256, out += slots) {
    const Scale scale = ScaleOfBlock(x, 256);
    const float32x4_t inverse = vdupq_n_f32(scale.inverse);
    out->d = scale.d;
    out->most = 0;
    for (std::size_t s = 0; s < 16; ++s) {
      const int8x16_t q = Round16(x + 16 * s, inverse);
      vst1q_s8(out->q + 16 * s, q);
      out->sums[s] = vaddlvq_s8(q);
      const std::int16_t magnitudes = vaddlvq_s8(vabsq_s8(q));
      out->most = out->most > magnitudes ? out->most : magnitudes;
    }
    for (std::size_t s = 0; s < 8; ++s) {
      out->pair_sums[s] = static_cast<std::int16_t>(out->sums[2 * s] + out->sums[2 * s + 1]);
    }
  }
}

void QuantizeQ8x32(const float* x, std::size_t n, BlockQ8x32* out, std::size_t slots) {
  for (std::size_t b = 0; b < n / 32; ++b, x += 32, out += slots) {
    const Scale scale = ScaleOfBlock(x, 32);
    const float32x4_t inverse = vdupq_n_f32(scale.inverse);
    const int8x16_t low = Round16(x, inverse);
    const int8x16_t high = Round16(x + 16, inverse);
    out->d = scale.d;
    out->sum = vaddlvq_s8(low) + vaddlvq_s8(high);
    vst1q_s8(out->q, low);
    vst1q_s8(out->q + 16, high);
  }
}

}  // namespace

void InstallNeonQuantize(KernelTable* table) {
  table->quantize_q8k = &QuantizeQ8K;
  table->quantize_q8_0 = &QuantizeQ8x32;
}

}  // namespace tandem::cpu
