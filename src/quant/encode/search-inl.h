#pragma once

#include "quant/encode/lanes-inl.h"

// Searches for the scale (and minimum) of a sub-block that give the least weighted squared error.
// Each candidate rounds the values to codes with a trial scale; for these codes the best scale is a
// least-squares solution, whose error follows from the same sums. The best candidate's codes are
// then rounded anew with its own scale, which can only help. Weights sum to one.

namespace tandem::quant {
namespace {

/// value = scale * code + min, code in [0, max_code].
struct AffineFit {
  Floats scale;
  Floats min;
  Floats error;
};

/// The trial scales: the range is mapped to max_code + first, then + step more each time.
struct Trials {
  float first;
  float step;
  int count;
};

/// Mean and variance of a sub-block.
struct Moments {
  Floats mean;
  Floats variance;
};

/// The least-squares scale and minimum for the codes that `start` and the step 1 / inverse give.
/// kBelowZero: the minimum must not be above zero (formats that store -min).
template <std::size_t N, bool kBelowZero>
[[gnu::always_inline]] inline AffineFit SolveAffine(const SubBlocks<N>& b, const Moments& m,
                                                    Floats start, Floats inverse, float max_code) {
  Floats q_sum{};
  Floats qq_sum{};
  Floats qx_sum{};  // of the values less their mean: small sums cancel less
  for (std::size_t i = 0; i < N; ++i) {
    const Floats x = LoadLanes(b.x[i]);
    const Floats q = Code((x - start) * inverse, 0, max_code);
    const Floats wq = LoadLanes(b.w[i]) * q;
    q_sum += wq;
    qq_sum += wq * q;
    qx_sum += wq * (x - m.mean);
  }
  const Floats spread = qq_sum - q_sum * q_sum;  // variance of the codes; 0 when all are equal
  AffineFit fit{};
  fit.scale = qx_sum * InverseOrZero(spread);
  fit.min = m.mean - fit.scale * q_sum;
  fit.error = m.variance - fit.scale * qx_sum;
  if constexpr (kBelowZero) {
    const Ints above = fit.min > 0.0F;
    const Floats qx = qx_sum + m.mean * q_sum;
    const Floats scale = qx * InverseOrZero(qq_sum);
    fit.scale = Select(above, scale, fit.scale);
    fit.min = Select(above, All(0.0F), fit.min);
    fit.error = Select(above, m.variance + m.mean * m.mean - scale * qx, fit.error);
  }
  return fit;
}

[[gnu::always_inline]] inline void KeepBetter(const AffineFit& fit, AffineFit* best) {
  const Ints better = fit.error < best->error;
  best->scale = Select(better, fit.scale, best->scale);
  best->min = Select(better, fit.min, best->min);
  best->error = Select(better, fit.error, best->error);
}

template <std::size_t N, bool kBelowZero>
AffineFit FitAffine(const SubBlocks<N>& b, float max_code, const Trials& trials) {
  Floats low = LoadLanes(b.x[0]);
  Floats high = low;
  Moments m{};
  for (std::size_t i = 0; i < N; ++i) {
    const Floats x = LoadLanes(b.x[i]);
    low = Min(low, x);
    high = Max(high, x);
    m.mean += LoadLanes(b.w[i]) * x;
  }
  for (std::size_t i = 0; i < N; ++i) {
    const Floats off = LoadLanes(b.x[i]) - m.mean;
    m.variance += LoadLanes(b.w[i]) * off * off;
  }
  if constexpr (kBelowZero) {
    low = Min(low, All(0.0F));
  }
  const Floats inverse_range = InverseOrZero(high - low);
  AffineFit best{(high - low) / max_code, low, All(__builtin_huge_valf())};
  for (int k = 0; k < trials.count; ++k) {
    const float codes = max_code + trials.first + trials.step * static_cast<float>(k);
    KeepBetter(SolveAffine<N, kBelowZero>(b, m, low, codes * inverse_range, max_code), &best);
  }
  for (int k = 0; k < 2; ++k) {
    KeepBetter(SolveAffine<N, kBelowZero>(b, m, best.min, InverseOrZero(best.scale), max_code),
               &best);
  }
  return best;
}

/// value = scale * code; the scale may be negative.
struct SymmetricFit {
  Floats scale;
  Floats gain;  // the squared error is that of zeros less this
};

/// Codes of whole numbers in [-reach, reach - 1].
struct WholeCodes {
  float reach;
  [[gnu::always_inline]] Floats Nearest(Floats x) const { return Code(x, -reach, reach - 1.0F); }
};

/// The least-squares scale for the codes that the step 1 / inverse gives.
template <std::size_t N, typename Codes>
[[gnu::always_inline]] inline SymmetricFit SolveSymmetric(const SubBlocks<N>& b, Floats inverse,
                                                          const Codes& codes) {
  Floats qq_sum{};
  Floats qx_sum{};
  for (std::size_t i = 0; i < N; ++i) {
    const Floats x = LoadLanes(b.x[i]);
    const Floats q = codes.Nearest(x * inverse);
    const Floats wq = LoadLanes(b.w[i]) * q;
    qq_sum += wq * q;
    qx_sum += wq * x;
  }
  const Floats scale = qx_sum * InverseOrZero(qq_sum);
  return {scale, scale * qx_sum};
}

[[gnu::always_inline]] inline void KeepBetter(const SymmetricFit& fit, SymmetricFit* best) {
  const Ints better = fit.gain > best->gain;
  best->scale = Select(better, fit.scale, best->scale);
  best->gain = Select(better, fit.gain, best->gain);
}

/// The largest magnitude of each sub-block, with its sign.
template <std::size_t N>
[[gnu::always_inline]] inline Floats Farthest(const SubBlocks<N>& b) {
  Floats farthest = LoadLanes(b.x[0]);
  for (std::size_t i = 1; i < N; ++i) {
    const Floats x = LoadLanes(b.x[i]);
    farthest = Select(Abs(x) > Abs(farthest), x, farthest);
  }
  return farthest;
}

/// reach: the code that the farthest value gets, before the trials stretch it; both signs are
/// tried, since the codes reach further on one side.
template <std::size_t N, typename Codes>
SymmetricFit FitSymmetric(const SubBlocks<N>& b, const Codes& codes, float reach,
                          const Trials& trials) {
  const Floats inverse_range = InverseOrZero(Farthest(b));
  SymmetricFit best{};
  for (int k = 0; k < trials.count; ++k) {
    const float far_code = reach + trials.first + trials.step * static_cast<float>(k);
    KeepBetter(SolveSymmetric(b, -far_code * inverse_range, codes), &best);
    KeepBetter(SolveSymmetric(b, far_code * inverse_range, codes), &best);
  }
  for (int k = 0; k < 2; ++k) {
    KeepBetter(SolveSymmetric(b, InverseOrZero(best.scale), codes), &best);
  }
  return best;
}

/// The largest of `count` neighbouring lanes from `first`.
[[gnu::always_inline]] inline float LargestLane(const float* lanes, std::size_t first,
                                                std::size_t count) {
  float largest = lanes[first];
  for (std::size_t i = first + 1; i < first + count; ++i) {
    largest = lanes[i] > largest ? lanes[i] : largest;
  }
  return largest;
}

/// A value per super-block of `lanes_each` neighbouring lanes, spread over its lanes: the largest.
[[gnu::always_inline]] inline Floats SpreadLargest(Floats x, std::size_t lanes_each) {
  alignas(64) float lanes[kLanes];
  StoreLanes(x, lanes);
  for (std::size_t first = 0; first < kLanes; first += lanes_each) {
    const float largest = LargestLane(lanes, first, lanes_each);
    for (std::size_t i = first; i < first + lanes_each; ++i) {
      lanes[i] = largest;
    }
  }
  return LoadLanes(lanes);
}

/// As SpreadLargest, of magnitudes, keeping the sign of the one that was largest.
[[gnu::always_inline]] inline Floats SpreadFarthest(Floats x, std::size_t lanes_each) {
  const Floats high = SpreadLargest(x, lanes_each);
  const Floats low = -SpreadLargest(-x, lanes_each);
  return Select(high > -low, high, low);
}

}  // namespace
}  // namespace tandem::quant
