#pragma once

#include "quant/encode/blocks_of_32-inl.h"

// Q2_K to Q6_K: a lane is a sub-block; a super-block is 8 or 16 neighbouring lanes. The scales (and
// minima) found for the sub-blocks are rounded to whole multiples of the super-block's; then each
// sub-block tries the multiples beside its own, and those that lose least stay.

namespace tandem::quant {
namespace {

/// Calls encode(b, super-blocks, out) for groups of as many super-blocks as fill the lanes.
template <std::size_t N, typename Block, typename Encode>
[[gnu::always_inline]] inline void ForSuperBlocks(const float* values, const float* importance,
                                                  std::size_t count, std::byte* blocks,
                                                  Encode encode) {
  constexpr std::size_t kLength = Block::kLength;
  constexpr std::size_t kGroup = kLanes * N / kLength;
  auto* out = reinterpret_cast<Block*>(blocks);
  SubBlocks<N> b;
  for (std::size_t first = 0; first < count; first += kGroup) {
    const std::size_t used = count - first < kGroup ? count - first : kGroup;
    ReadSubBlocks(values + first * kLength,
                  importance == nullptr ? nullptr : importance + first * kLength,
                  used * (kLength / N), &b);
    encode(b, used, out + first);
  }
}

/// scale = FromHalf(d) * code.
struct ScaledChoice {
  Ints d;
  Floats code;
  Floats scale;
};

/// Rounds scales to d * code, code in [-reach, reach - 1], d shared by kEach lanes.
template <std::size_t N, std::size_t kEach, typename Codes>
[[gnu::always_inline]] inline ScaledChoice ChooseScale(const SubBlocks<N>& b, Floats scale,
                                                       const Codes& codes, float reach) {
  ScaledChoice choice{};
  choice.d = ToHalf(SpreadFarthest(scale, kEach) / -reach);
  const Floats d = FromHalf(choice.d);
  const Floats start = Code(scale * InverseOrZero(d), -reach, reach - 1.0F);
  Floats least = All(__builtin_huge_valf());
  for (int step = -1; step <= 1; ++step) {
    const Floats code = Min(Max(start + static_cast<float>(step), All(-reach)), All(reach - 1.0F));
    const Floats trial = d * code;
    const Floats inverse = InverseOrZero(trial);
    Floats error{};
    for (std::size_t i = 0; i < N; ++i) {
      const Floats x = LoadLanes(b.x[i]);
      const Floats off = x - trial * codes.Nearest(x * inverse);
      error += LoadLanes(b.w[i]) * off * off;
    }
    const Ints better = error < least;
    choice.code = Select(better, code, choice.code);
    least = Select(better, error, least);
  }
  choice.scale = d * choice.code;
  return choice;
}

/// scale = FromHalf(d) * code, min = FromHalf(dmin) * min_code, value = scale * q - min.
struct AffineChoice {
  Ints d;
  Ints dmin;
  Floats code;
  Floats min_code;
  Floats scale;
  Floats min;
};

/// The minimum, as a multiple of dmin, that suits the codes of a scale.
template <std::size_t N>
[[gnu::always_inline]] inline Floats BestMinCode(const SubBlocks<N>& b, Floats scale,
                                                 Floats inverse, Floats min, Floats inverse_dmin,
                                                 float max_code, float max_scale) {
  Floats sum{};
  for (std::size_t i = 0; i < N; ++i) {
    const Floats x = LoadLanes(b.x[i]);
    sum += LoadLanes(b.w[i]) * (scale * Code((x + min) * inverse, 0, max_code) - x);
  }
  return Code(sum * inverse_dmin, 0, max_scale);
}

/// Rounds scales and minima to multiples of d and dmin, codes in [0, max_scale], shared by kEach
/// lanes; the values' codes are in [0, max_code].
template <std::size_t N, std::size_t kEach>
[[gnu::always_inline]] inline AffineChoice ChooseAffine(const SubBlocks<N>& b, const AffineFit& fit,
                                                        float max_code, float max_scale) {
  const Floats fit_min = -fit.min;
  AffineChoice choice{};
  choice.d = ToHalf(SpreadLargest(fit.scale, kEach) / max_scale);
  choice.dmin = ToHalf(SpreadLargest(fit_min, kEach) / max_scale);
  const Floats d = FromHalf(choice.d);
  const Floats dmin = FromHalf(choice.dmin);
  const Floats inverse_dmin = InverseOrZero(dmin);
  const Floats start = Code(fit.scale * InverseOrZero(d), 0, max_scale);
  Floats least = All(__builtin_huge_valf());
  for (int step = -1; step <= 1; ++step) {
    const Floats code = Min(Max(start + static_cast<float>(step), Floats{}), All(max_scale));
    const Floats scale = d * code;
    const Floats inverse = InverseOrZero(scale);
    const Floats min_code =
        BestMinCode(b, scale, inverse, fit_min, inverse_dmin, max_code, max_scale);
    const Floats min = dmin * min_code;
    Floats error{};
    for (std::size_t i = 0; i < N; ++i) {
      const Floats x = LoadLanes(b.x[i]);
      const Floats off = x + min - scale * Code((x + min) * inverse, 0, max_code);
      error += LoadLanes(b.w[i]) * off * off;
    }
    const Ints better = error < least;
    choice.code = Select(better, code, choice.code);
    choice.min_code = Select(better, min_code, choice.min_code);
    least = Select(better, error, least);
  }
  choice.scale = d * choice.code;
  choice.min = dmin * choice.min_code;
  return choice;
}

template <std::size_t N>
[[gnu::always_inline]] inline void AffineCodes(const SubBlocks<N>& b, const AffineChoice& choice,
                                               float max_code, CodeBytes<N>* bytes) {
  const Floats inverse = InverseOrZero(choice.scale);
  for (std::size_t i = 0; i < N; ++i) {
    bytes->Set(i, Code((LoadLanes(b.x[i]) + choice.min) * inverse, 0, max_code));
  }
}

constexpr std::size_t kBlock16 = 16;
using Blocks16 = SubBlocks<kBlock16>;

void EncodeQ2_K(const float* values, const float* importance, std::size_t count,
                std::byte* blocks) {
  ForSuperBlocks<kBlock16, BlockQ2_K>(
      values, importance, count, blocks, [](const Blocks16& b, std::size_t, BlockQ2_K* out) {
        constexpr Trials kTrials = {-0.5F, 0.1F, 15};
        const AffineFit fit = FitAffine<kBlock16, true>(b, 3, kTrials);
        const AffineChoice choice = ChooseAffine<kBlock16, 16>(b, fit, 3, 15);
        CodeBytes<kBlock16> bytes;
        AffineCodes(b, choice, 3, &bytes);
        const Ints packed = __builtin_convertvector(choice.code + 16.0F * choice.min_code, Ints);
        BlockQ2_K block{};
        StoreHalf(choice.d, 0, &block.d);
        StoreHalf(choice.dmin, 0, &block.dmin);
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
          block.scales[lane] = static_cast<std::uint8_t>(packed[lane]);
          const std::size_t shift = 2 * (lane / 2 % 4);
          std::uint8_t* qs = block.qs + 32 * (lane / 8) + 16 * (lane % 2);
          for (std::size_t i = 0; i < kBlock16; ++i) {
            qs[i] = static_cast<std::uint8_t>(qs[i] | (bytes.codes[i][lane] << shift));
          }
        }
        *out = block;
      });
}

void EncodeQ3_K(const float* values, const float* importance, std::size_t count,
                std::byte* blocks) {
  ForSuperBlocks<kBlock16, BlockQ3_K>(
      values, importance, count, blocks, [](const Blocks16& b, std::size_t, BlockQ3_K* out) {
        constexpr Trials kTrials = {-1.2F, 0.2F, 12};
        const WholeCodes whole{4};
        const SymmetricFit fit = FitSymmetric(b, whole, 4, kTrials);
        const ScaledChoice choice = ChooseScale<kBlock16, 16>(b, fit.scale, whole, 32);
        const Floats inverse = InverseOrZero(choice.scale);
        CodeBytes<kBlock16> bytes;
        for (std::size_t i = 0; i < kBlock16; ++i) {
          bytes.Set(i, whole.Nearest(LoadLanes(b.x[i]) * inverse) + 4.0F);
        }
        const Ints codes = __builtin_convertvector(choice.code + 32.0F, Ints);
        BlockQ3_K block{};
        StoreHalf(choice.d, 0, &block.d);
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
          const auto code = static_cast<unsigned>(codes[lane]);
          std::uint8_t* low = block.scales + lane % 8;
          *low = static_cast<std::uint8_t>(*low | ((code & 15) << (4 * (lane / 8))));
          std::uint8_t* high = block.scales + 8 + lane % 4;
          *high = static_cast<std::uint8_t>(*high | ((code >> 4) << (2 * (lane / 4))));
          const std::size_t shift = 2 * (lane / 2 % 4);
          std::uint8_t* qs = block.qs + 32 * (lane / 8) + 16 * (lane % 2);
          std::uint8_t* third = block.hmask + 16 * (lane % 2);
          for (std::size_t i = 0; i < kBlock16; ++i) {
            const unsigned q = bytes.codes[i][lane];
            qs[i] = static_cast<std::uint8_t>(qs[i] | ((q & 3) << shift));
            third[i] = static_cast<std::uint8_t>(third[i] | ((q >> 2) << (lane / 2)));
          }
        }
        *out = block;
      });
}

/// Packs the 6-bit scale and minimum of sub-block s of Q4_K and Q5_K; see UnpackK4 in k_quants.cc.
[[gnu::always_inline]] inline void PackK4(unsigned scale, unsigned min, std::size_t s,
                                          std::uint8_t* packed) {
  if (s < 4) {
    packed[s] = static_cast<std::uint8_t>(packed[s] | scale);
    packed[s + 4] = static_cast<std::uint8_t>(packed[s + 4] | min);
    return;
  }
  packed[s + 4] = static_cast<std::uint8_t>((scale & 15) | ((min & 15) << 4));
  packed[s - 4] = static_cast<std::uint8_t>(packed[s - 4] | ((scale >> 4) << 6));
  packed[s] = static_cast<std::uint8_t>(packed[s] | ((min >> 4) << 6));
}

/// Q4_K (codes to 15) and Q5_K (31).
template <typename Block, bool kFifthBit>
void EncodeK4(const float* values, const float* importance, std::size_t count, std::byte* blocks) {
  ForSuperBlocks<kBlock32, Block>(
      values, importance, count, blocks, [](const Blocks32& b, std::size_t used, Block* out) {
        constexpr float kMaxCode = kFifthBit ? 31 : 15;
        constexpr std::size_t kScales = 8;
        constexpr Trials kTrials = kFifthBit ? Trials{-0.4F, 0.2F, 8} : Trials{-0.6F, 0.15F, 12};
        const AffineFit fit = FitAffine<kBlock32, true>(b, kMaxCode, kTrials);
        const AffineChoice choice = ChooseAffine<kBlock32, kScales>(b, fit, kMaxCode, 63);
        CodeBytes<kBlock32> bytes;
        AffineCodes(b, choice, kMaxCode, &bytes);
        const Ints scales = __builtin_convertvector(choice.code, Ints);
        const Ints mins = __builtin_convertvector(choice.min_code, Ints);
        for (std::size_t k = 0; k < used; ++k) {
          Block block{};
          StoreHalf(choice.d, k * kScales, &block.d);
          StoreHalf(choice.dmin, k * kScales, &block.dmin);
          for (std::size_t s = 0; s < kScales; ++s) {
            const std::size_t lane = k * kScales + s;
            PackK4(static_cast<unsigned>(scales[lane]), static_cast<unsigned>(mins[lane]), s,
                   block.scales);
            std::uint8_t* qs = block.qs + 32 * (s / 2);
            for (std::size_t i = 0; i < kBlock32; ++i) {
              const unsigned q = bytes.codes[i][lane];
              qs[i] = static_cast<std::uint8_t>(qs[i] | ((q & 15) << (4 * (s % 2))));
              if constexpr (kFifthBit) {
                block.qh[i] = static_cast<std::uint8_t>(block.qh[i] | ((q >> 4) << s));
              }
            }
          }
          out[k] = block;
        }
      });
}

void EncodeQ6_K(const float* values, const float* importance, std::size_t count,
                std::byte* blocks) {
  ForSuperBlocks<kBlock16, BlockQ6_K>(
      values, importance, count, blocks, [](const Blocks16& b, std::size_t, BlockQ6_K* out) {
        constexpr Trials kTrials = {-0.8F, 0.2F, 7};
        const WholeCodes whole{32};
        const SymmetricFit fit = FitSymmetric(b, whole, 32, kTrials);
        const ScaledChoice choice = ChooseScale<kBlock16, 16>(b, fit.scale, whole, 128);
        const Floats inverse = InverseOrZero(choice.scale);
        CodeBytes<kBlock16> bytes;
        for (std::size_t i = 0; i < kBlock16; ++i) {
          bytes.Set(i, whole.Nearest(LoadLanes(b.x[i]) * inverse) + 32.0F);
        }
        const Ints codes = __builtin_convertvector(choice.code, Ints);
        BlockQ6_K block{};
        StoreHalf(choice.d, 0, &block.d);
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
          block.scales[lane] = static_cast<std::int8_t>(codes[lane]);
          const std::size_t j = lane / 2 % 4;
          std::uint8_t* low = block.ql + 64 * (lane / 8) + 32 * (j % 2) + 16 * (lane % 2);
          std::uint8_t* high = block.qh + 32 * (lane / 8) + 16 * (lane % 2);
          for (std::size_t i = 0; i < kBlock16; ++i) {
            const unsigned q = bytes.codes[i][lane];
            low[i] = static_cast<std::uint8_t>(low[i] | ((q & 15) << (4 * (j / 2))));
            high[i] = static_cast<std::uint8_t>(high[i] | ((q >> 4) << (2 * j)));
          }
        }
        *out = block;
      });
}

}  // namespace
}  // namespace tandem::quant
