#pragma once

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/exp-inl.h"

// Causal convolution of width 4. Include after an instruction set's floats-inl.h.

namespace tandem::cpu {
namespace {

inline constexpr std::size_t kTaps = 4;
inline constexpr std::size_t kConvBlock = 256;  // channels whose weights are transposed at a time

/// Row t of the sequence, t >= -3: the negative ones are the state's.
inline const float* ConvRow(const ConvTask& task, std::ptrdiff_t t) {
  return t < 0 ? task.state_3C + static_cast<std::size_t>(t + 3) * task.channels
               : task.x + static_cast<std::size_t>(t) * task.x_stride;
}

inline void CopyFloats(float* to, const float* from, std::size_t n) {
  __builtin_memcpy(to, from, n * sizeof(float));
}

// Channels [begin, begin + n) of every row; n <= kConvBlock.
inline void ConvChannels(const ConvTask& task, std::size_t begin, std::size_t n) {
  alignas(64) float w[kTaps][kConvBlock];
  for (std::size_t c = 0; c < n; ++c) {
    for (std::size_t j = 0; j < kTaps; ++j) {
      w[j][c] = task.w_C4[(begin + c) * kTaps + j];
    }
  }
  for (std::size_t t = 0; t < task.rows; ++t) {
    const float* x[kTaps];
    for (std::size_t j = 0; j < kTaps; ++j) {
      x[j] = ConvRow(task, static_cast<std::ptrdiff_t>(t + j) - 3) + begin;
    }
    float* y = task.y + t * task.y_stride + begin;
    const auto step = [&](auto load, std::size_t c) {
      F32 sum = load(w[0] + c) * load(x[0] + c);
      sum = MulAdd(load(w[1] + c), load(x[1] + c), sum);
      sum = MulAdd(load(w[2] + c), load(x[2] + c), sum);
      sum = MulAdd(load(w[3] + c), load(x[3] + c), sum);
      return Silu(sum);
    };
    std::size_t c = 0;
    for (; c + kLanes <= n; c += kLanes) {
      Store(y + c, step([](const float* p) { return Load(p); }, c));
    }
    if (c < n) {
      const std::size_t rest = n - c;
      StoreFirst(y + c, step([rest](const float* p) { return LoadFirst(p, rest); }, c), rest);
    }
  }
}

void ConvSilu(const ConvTask& task) {
  for (std::size_t c = task.begin; c < task.end; c += kConvBlock) {
    const std::size_t rest = task.end - c;
    ConvChannels(task, c, rest < kConvBlock ? rest : kConvBlock);
  }
  const std::size_t n = task.end - task.begin;
  for (std::size_t t = 0; task.snapshots != nullptr && t < task.rows; ++t) {
    for (std::size_t j = 0; task.snapshots[t] != nullptr && j < 3; ++j) {
      CopyFloats(task.snapshots[t] + j * task.channels + task.begin,
                 ConvRow(task, static_cast<std::ptrdiff_t>(t + j) - 2) + task.begin, n);
    }
  }
  // Oldest first: a short step moves the state's own later rows up before they are overwritten.
  for (std::size_t j = 0; task.rows > 0 && j < 3; ++j) {
    CopyFloats(task.state_3C + j * task.channels + task.begin,
               ConvRow(task, static_cast<std::ptrdiff_t>(task.rows + j) - 3) + task.begin, n);
  }
}

}  // namespace
}  // namespace tandem::cpu
