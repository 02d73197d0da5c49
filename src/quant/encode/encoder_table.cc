#include "quant/encode/encoder_table.h"

#include <array>
#include <string_view>

namespace tandem::quant {
namespace {

struct Tier {
  std::string_view name;
  bool available;
  void (*fill)(EncoderTable*);
};

/// Best last.
auto Tiers() {
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") != 0;
  const bool avx512 =
      __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
      __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  return std::array<Tier, 3>{{{"baseline", true, &FillBaseline},
                              {"avx2", avx2, &FillAvx2},
                              {"avx512", avx512, &FillAvx512}}};
#else
  return std::array<Tier, 1>{{{"baseline", true, &FillBaseline}}};
#endif
}

}  // namespace

EncoderTable EncodersOf(const char* name) {
  EncoderTable table{};
  for (const Tier& tier : Tiers()) {
    if (tier.name == name && tier.available) {
      tier.fill(&table);
    }
  }
  return table;
}

const EncoderTable& Encoders() {
  static const EncoderTable best = [] {
    EncoderTable table{};
    for (const Tier& tier : Tiers()) {
      if (tier.available) {
        tier.fill(&table);
      }
    }
    return table;
  }();
  return best;
}

}  // namespace tandem::quant
