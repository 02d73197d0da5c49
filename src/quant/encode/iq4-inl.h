#pragma once

#include "quant/encode/blocks_of_32-inl.h"
#include "quant/encode/k_quants-inl.h"

// IQ4_NL and IQ4_XS: the codes are places in a table of uneven steps.

namespace tandem::quant {
namespace {

struct Iq4Codes {
  /// Half way between entries i and i + 1.
  static constexpr float Middle(int i) {
    return 0.5F * static_cast<float>(kIq4Values[i] + kIq4Values[i + 1]);
  }
  static constexpr float Step(int i) {
    return static_cast<float>(kIq4Values[i + 1] - kIq4Values[i]);
  }

  [[gnu::always_inline]] Floats Nearest(Floats x) const {
    Floats value = All(static_cast<float>(kIq4Values[0]));
    for (int i = 0; i < 15; ++i) {
      value += Select(x > Middle(i), All(Step(i)), Floats{});
    }
    return value;
  }
  [[gnu::always_inline]] Floats Place(Floats x) const {
    Floats place{};
    for (int i = 0; i < 15; ++i) {
      place += Select(x > Middle(i), All(1.0F), Floats{});
    }
    return place;
  }
};

constexpr float kIq4Reach = 127;
constexpr Trials kIq4Trials = {-20, 5, 7};

void EncodeIQ4_NL(const float* values, const float* importance, std::size_t count,
                  std::byte* blocks) {
  ForGroups32<BlockIQ4_NL>(
      values, importance, count, blocks, [](const Blocks32& b, std::size_t used, BlockIQ4_NL* out) {
        const Iq4Codes table;
        const Ints d = ToHalf(FitSymmetric(b, table, kIq4Reach, kIq4Trials).scale);
        const Floats inverse = InverseOrZero(FromHalf(d));
        CodeBytes<kBlock32> bytes;
        for (std::size_t i = 0; i < kBlock32; ++i) {
          bytes.Set(i, table.Place(LoadLanes(b.x[i]) * inverse));
        }
        PackedCodes packed;
        packed.Pack<false>(bytes);
        for (std::size_t lane = 0; lane < used; ++lane) {
          StoreHalf(d, lane, &out[lane].d);
          packed.Store<false>(lane, out + lane);
        }
      });
}

void EncodeIQ4_XS(const float* values, const float* importance, std::size_t count,
                  std::byte* blocks) {
  constexpr std::size_t kScales = 8;
  ForSuperBlocks<kBlock32, BlockIQ4_XS>(
      values, importance, count, blocks, [](const Blocks32& b, std::size_t used, BlockIQ4_XS* out) {
        const Iq4Codes table;
        const SymmetricFit fit = FitSymmetric(b, table, kIq4Reach, kIq4Trials);
        const ScaledChoice choice = ChooseScale<kBlock32, kScales>(b, fit.scale, table, 32.0F);
        const Floats inverse = InverseOrZero(choice.scale);
        CodeBytes<kBlock32> bytes;
        for (std::size_t i = 0; i < kBlock32; ++i) {
          bytes.Set(i, table.Place(LoadLanes(b.x[i]) * inverse));
        }
        const Ints codes = __builtin_convertvector(choice.code + 32.0F, Ints);
        for (std::size_t s = 0; s < used; ++s) {
          BlockIQ4_XS block{};
          StoreHalf(choice.d, s * kScales, &block.d);
          unsigned high = 0;
          for (std::size_t j = 0; j < kScales; ++j) {
            const std::size_t lane = s * kScales + j;
            const auto code = static_cast<unsigned>(codes[lane]);
            block.scales_l[j / 2] =
                static_cast<std::uint8_t>(block.scales_l[j / 2] | ((code & 15) << (4 * (j % 2))));
            high |= (code >> 4) << (2 * j);
            for (std::size_t i = 0; i < 16; ++i) {
              block.qs[16 * j + i] = static_cast<std::uint8_t>(bytes.codes[i][lane] |
                                                               (bytes.codes[i + 16][lane] << 4));
            }
          }
          block.scales_h = static_cast<std::uint16_t>(high);
          out[s] = block;
        }
      });
}

}  // namespace
}  // namespace tandem::quant
