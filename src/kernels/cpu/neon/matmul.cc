#include "kernels/cpu/neon/matmul.h"

#include "kernels/cpu/neon/vec-inl.h"
// These are written in it.
#include "kernels/cpu/matmul-inl.h"
#include "kernels/cpu/mxfp4-inl.h"
#include "kernels/cpu/panel-inl.h"
#include "kernels/cpu/panel32-inl.h"

// Dot products of a panel with a few tokens, by sdot: four codes of each lane times four
// activations of one token. All codes are below 128 or signed, so sdot multiplies them as they are.

namespace tandem::cpu {
namespace {

/// Tokens that share one pass over a panel: as many sums as there are registers for.
constexpr std::size_t kTogether = 8;

/// Quads [4 kGroup ... 4 kGroup + 3] from `q` on, times those of one token, added to sum.
inline int32x4_t AddQuads(int32x4_t sum, const int32x4_t (&codes)[4], const std::int8_t* x) {
  const int8x16_t a = vld1q_s8(x);
  sum = vdotq_laneq_s32(sum, Bytes(codes[0]), a, 0);
  sum = vdotq_laneq_s32(sum, Bytes(codes[1]), a, 1);
  sum = vdotq_laneq_s32(sum, Bytes(codes[2]), a, 2);
  return vdotq_laneq_s32(sum, Bytes(codes[3]), a, 3);
}

/// part[t] = kCount quads of the panel, from quad `first` on, times those of kTokens tokens.
template <std::size_t kCount, std::size_t kTokens, typename X>
inline void DotQuads(const int32x4_t* q, std::size_t first, const X* x,
                     int32x4_t (&part)[kTokens]) {
#pragma GCC unroll 2
  for (std::size_t i = 0; i < kCount; i += 4) {
    const int32x4_t* at = q + first + i;
    const int32x4_t codes[4] = {at[0], at[1], at[2], at[3]};
#pragma GCC unroll 8
    for (std::size_t t = 0; t < kTokens; ++t) {
      part[t] = AddQuads(i == 0 ? vdupq_n_s32(0) : part[t], codes, x[t].q + 4 * (first + i));
    }
  }
}

template <typename Kernel>
void DotAllTokens(const typename Kernel::Panel* panels, std::size_t count,
                  const typename Kernel::X* x, std::size_t slots, std::size_t tokens, float* acc) {
  for (; tokens >= kTogether; tokens -= kTogether, x += kTogether, acc += kTogether * kLanes) {
    Kernel::template DotTokens<kTogether>(panels, count, x, slots, acc);
  }
  if (tokens >= 4) {
    Kernel::template DotTokens<4>(panels, count, x, slots, acc);
    tokens -= 4;
    x += 4;
    acc += 4 * kLanes;
  }
  switch (tokens) {
    case 1:
      return Kernel::template DotTokens<1>(panels, count, x, slots, acc);
    case 2:
      return Kernel::template DotTokens<2>(panels, count, x, slots, acc);
    case 3:
      return Kernel::template DotTokens<3>(panels, count, x, slots, acc);
    default:
      return;
  }
}

template <typename Format>
struct SuperKernel : Format {
  using X = BlockQ8K;
  using Panel = typename Format::Panel;

  static void Dot(const Panel* panels, std::size_t count, const X* x, std::size_t slots,
                  std::size_t tokens, float* acc) {
    DotAllTokens<SuperKernel>(panels, count, x, slots, tokens, acc);
  }

  template <std::size_t kTokens>
  static void DotTokens(const Panel* panels, std::size_t /*count*/, const X* x,
                        std::size_t /*slots*/, float* acc) {
    constexpr std::size_t kQuadsPerSub = Format::kQuads / Format::kSubs;
    const Panel& panel = *panels;
    int32x4_t sum[kTokens];
#pragma GCC unroll 8
    for (std::size_t t = 0; t < kTokens; ++t) {
      sum[t] = vdupq_n_s32(0);
    }
    for (std::size_t s = 0; s < Format::kSubs; ++s) {
      int32x4_t part[kTokens];
      DotQuads<kQuadsPerSub>(panel.q, s * kQuadsPerSub, x, part);
#pragma GCC unroll 8
      for (std::size_t t = 0; t < kTokens; ++t) {
        sum[t] = vmlaq_s32(sum[t], part[t], panel.scale[s]);
      }
    }
    const Header<Format> header(panel);
#pragma GCC unroll 8
    for (std::size_t t = 0; t < kTokens; ++t) {
      const int32x4_t s = RemoveBias(header, x[t], sum[t]);
      FinishSuper(header, x[t], s, acc + t * kLanes);
    }
  }
};

template <typename Format>
struct Kernel32 : Format {
  using X = BlockQ8x32;
  using Panel = typename Format::Panel;

  static void Dot(const Panel* panels, std::size_t count, const X* x, std::size_t slots,
                  std::size_t tokens, float* acc) {
    DotAllTokens<Kernel32>(panels, count, x, slots, tokens, acc);
  }

  template <std::size_t kTokens>
  static void DotTokens(const Panel* panels, std::size_t count, const X* x, std::size_t slots,
                        float* acc) {
    float32x4_t total[kTokens];
#pragma GCC unroll 8
    for (std::size_t t = 0; t < kTokens; ++t) {
      total[t] = LoadFloats(acc + t * kLanes);
    }
    for (std::size_t b = 0; b < count; ++b, x += slots) {
      int32x4_t sum[kTokens];
      DotQuads<Format::kQuads>(panels[b].q, 0, x, sum);
#pragma GCC unroll 8
      for (std::size_t t = 0; t < kTokens; ++t) {
        total[t] = FinishBlock<Format>(panels[b], x[t], sum[t], total[t]);
      }
    }
#pragma GCC unroll 8
    for (std::size_t t = 0; t < kTokens; ++t) {
      StoreFloats(acc + t * kLanes, total[t]);
    }
  }
};

template <typename Kernel>
void Install(Activation activation, KernelTable* table) {
  table->matmul[Kernel::kType] = {activation, &RunMatMul<Kernel>};
}

}  // namespace

void InstallNeonMatMul(KernelTable* table) {
  Install<Kernel32<FormatQ40>>(Activation::kQ8_0, table);
  Install<Kernel32<FormatQ41>>(Activation::kQ8_0, table);
  Install<Kernel32<FormatQ50>>(Activation::kQ8_0, table);
  Install<Kernel32<FormatQ51>>(Activation::kQ8_0, table);
  Install<Kernel32<FormatQ80>>(Activation::kQ8_0, table);
  Install<Kernel32<FormatIQ4NL>>(Activation::kQ8_0, table);
  Install<Kernel32<FormatMXFP4>>(Activation::kQ8_0, table);
  Install<SuperKernel<FormatQ2K>>(Activation::kQ8K, table);
  Install<SuperKernel<FormatQ3K>>(Activation::kQ8K, table);
  Install<SuperKernel<FormatQ4K>>(Activation::kQ8K, table);
  Install<SuperKernel<FormatQ5K>>(Activation::kQ8K, table);
  Install<SuperKernel<FormatQ6K>>(Activation::kQ8K, table);
  Install<SuperKernel<FormatIQ4XS>>(Activation::kQ8K, table);
}

}  // namespace tandem::cpu
