#pragma once

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/exp-inl.h"

// Element-wise kernels and norms. Include after an instruction set's floats-inl.h. Sums run in
// double: their cost is small and what they feed scales whole rows.

namespace tandem::cpu {
namespace {

/// Calls step(i, load, store) for each vector of [0, n): load(p) reads p[i...], store(p, v) writes
/// it, both cut to n in the last one.
template <typename Step>
void ForVectors(std::size_t n, Step step) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    step([i](const float* p) { return Load(p + i); }, [i](float* p, F32 v) { Store(p + i, v); });
  }
  if (i < n) {
    const std::size_t rest = n - i;
    step([i, rest](const float* p) { return LoadFirst(p + i, rest); },
         [i, rest](float* p, F32 v) { StoreFirst(p + i, v, rest); });
  }
}

inline double DotInDouble(const float* x, const float* y, std::size_t n) {
  Doubles sum = {ZeroF64(), ZeroF64()};
  ForVectors(n, [&](auto load, auto) {
    const Doubles a = Widen(load(x));
    const Doubles b = Widen(load(y));
    sum.low = MulAdd(a.low, b.low, sum.low);
    sum.high = MulAdd(a.high, b.high, sum.high);
  });
  return SumLanes(sum.low + sum.high);
}

inline double InverseRms(const float* x, std::size_t n, float eps) {
  const double mean = DotInDouble(x, x, n) / static_cast<double>(n);
  return 1.0 / __builtin_sqrt(mean + static_cast<double>(eps));
}

void RmsNorm(const float* x, const float* gain, std::size_t n, float eps, float* y) {
  const F64 scale = SetF64(InverseRms(x, n, eps));
  ForVectors(n, [=](auto load, auto store) {
    const Doubles a = Widen(load(x));
    const Doubles g = Widen(load(gain));
    store(y, Narrow(a.low * scale * g.low, a.high * scale * g.high));
  });
}

void LayerNorm(const float* x, const float* gain, const float* bias, std::size_t n, float eps,
               float* y) {
  const std::size_t whole = n / kLanes * kLanes;  // the rest has no zeros to add
  Doubles sums = {ZeroF64(), ZeroF64()};
  ForVectors(whole, [&](auto load, auto) {
    const Doubles a = Widen(load(x));
    sums = {sums.low + a.low, sums.high + a.high};
  });
  double mean = SumLanes(sums.low + sums.high);
  for (std::size_t i = whole; i < n; ++i) {
    mean += static_cast<double>(x[i]);
  }
  mean /= static_cast<double>(n);
  const F64 center = SetF64(mean);
  sums = {ZeroF64(), ZeroF64()};
  ForVectors(whole, [&](auto load, auto) {
    const Doubles a = Widen(load(x));
    const F64 low = a.low - center;
    const F64 high = a.high - center;
    sums = {MulAdd(low, low, sums.low), MulAdd(high, high, sums.high)};
  });
  double variance = SumLanes(sums.low + sums.high);
  for (std::size_t i = whole; i < n; ++i) {
    const double d = static_cast<double>(x[i]) - mean;
    variance += d * d;
  }
  variance /= static_cast<double>(n);
  const F64 scale = SetF64(1.0 / __builtin_sqrt(variance + static_cast<double>(eps)));
  ForVectors(n, [=](auto load, auto store) {
    const Doubles a = Widen(load(x));
    const Doubles g = Widen(load(gain));
    const Doubles b = Widen(load(bias));
    store(y, Narrow(MulAdd((a.low - center) * scale, g.low, b.low),
                    MulAdd((a.high - center) * scale, g.high, b.high)));
  });
}

void Add(const float* x, float* y, std::size_t n) {
  ForVectors(n, [=](auto load, auto store) { store(y, load(y) + load(x)); });
}

void SwiGlu(float* gate, const float* up, std::size_t n) {
  ForVectors(n, [=](auto load, auto store) {
    const F32 x = load(gate);
    store(gate, MulSigmoid(x, x) * load(up));
  });
}

void SigmoidGate(float* x, const float* gate, std::size_t n) {
  ForVectors(n, [=](auto load, auto store) { store(x, MulSigmoid(load(x), load(gate))); });
}

void GatedNorm(float* x, const float* z, const float* gain, std::size_t n, float eps) {
  const F64 scale = SetF64(InverseRms(x, n, eps));
  ForVectors(n, [=](auto load, auto store) {
    const Doubles a = Widen(load(x));
    const Doubles g = Widen(load(gain));
    const Doubles s = Widen(Silu(load(z)));
    store(x, Narrow(a.low * scale * g.low * s.low, a.high * scale * g.high * s.high));
  });
}

// In double, where the products are exact: a float difference of rounded products may cancel.
void Rope(float* x, const float* cosines, const float* sines, std::size_t half) {
  float* y = x + half;
  ForVectors(half, [=](auto load, auto store) {
    const Doubles a = Widen(load(x));
    const Doubles b = Widen(load(y));
    const Doubles c = Widen(load(cosines));
    const Doubles s = Widen(load(sines));
    store(x, Narrow(NegMulAdd(b.low, s.low, a.low * c.low),
                    NegMulAdd(b.high, s.high, a.high * c.high)));
    store(y, Narrow(MulAdd(a.low, s.low, b.low * c.low), MulAdd(a.high, s.high, b.high * c.high)));
  });
}

// Tokens [0, kTokens) at once: each weight is widened once for all of them.
template <std::size_t kTokens>
void DotTokens(const float* w, const float* x, std::size_t x_stride, std::size_t n, float* y,
               std::size_t y_stride) {
  Doubles sum[kTokens];
#pragma GCC unroll 4
  for (std::size_t t = 0; t < kTokens; ++t) {
    sum[t] = {ZeroF64(), ZeroF64()};
  }
  ForVectors(n, [&](auto load, auto) {
    const Doubles a = Widen(load(w));
#pragma GCC unroll 4
    for (std::size_t t = 0; t < kTokens; ++t) {
      const Doubles b = Widen(load(x + t * x_stride));
      sum[t].low = MulAdd(a.low, b.low, sum[t].low);
      sum[t].high = MulAdd(a.high, b.high, sum[t].high);
    }
  });
#pragma GCC unroll 4
  for (std::size_t t = 0; t < kTokens; ++t) {
    y[t * y_stride] = static_cast<float>(SumLanes(sum[t].low + sum[t].high));
  }
}

void DotRows(const float* w, const float* x, std::size_t x_stride, std::size_t tokens,
             std::size_t n, float* y, std::size_t y_stride) {
  std::size_t t = 0;
  for (; t + 4 <= tokens; t += 4) {
    DotTokens<4>(w, x + t * x_stride, x_stride, n, y + t * y_stride, y_stride);
  }
  for (; t < tokens; ++t) {
    DotTokens<1>(w, x + t * x_stride, x_stride, n, y + t * y_stride, y_stride);
  }
}

inline void InstallVectorOps(KernelTable* table) {
  table->dot_rows = &DotRows;
  table->rms_norm = &RmsNorm;
  table->layer_norm = &LayerNorm;
  table->add = &Add;
  table->swiglu = &SwiGlu;
  table->sigmoid_gate = &SigmoidGate;
  table->gated_norm = &GatedNorm;
  table->rope = &Rope;
}

}  // namespace
}  // namespace tandem::cpu
