// Plain reference kernels: each follows its formula with sums in double. Slow on purpose; the
// kernels of every instruction set are tested against these.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/half.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/kv_page.h"

namespace tandem::cpu {
namespace {

constexpr int kKvF32 = 0;
constexpr int kKvF16 = 1;
constexpr int kKvBf16 = 2;
constexpr int kKvQ4 = 4;  // 3: q8_0
constexpr std::size_t kPageTokens = 64;
constexpr std::size_t kKvBlock = 32;  // values per scale in q8_0 and q4_0

double Sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}
double Silu(double x) {
  return x * Sigmoid(x);
}
// The identity above 20, as torch's softplus; the same value in float.
double Softplus(double x) {
  return x > 20.0 ? x : std::log1p(std::exp(x));
}

// Rounds n activations to int8 and returns their scale.
float RoundBlock(const float* x, std::size_t n, std::int8_t* q) {
  float amax = 0;
  for (std::size_t i = 0; i < n; ++i) {
    amax = std::max(amax, std::fabs(x[i]));
  }
  const bool zero = amax < kTinyActivation;
  const float inverse = zero ? 0.0F : 127.0F / amax;
  for (std::size_t i = 0; i < n; ++i) {
    q[i] = static_cast<std::int8_t>(std::nearbyintf(x[i] * inverse));
  }
  return zero ? 0.0F : amax / 127.0F;
}

void QuantizeQ8K(const float* x, std::size_t n, BlockQ8K* out, std::size_t slots) {
  for (std::size_t b = 0; b < n / 256; ++b, x += 256, out += slots) {
    out->d = RoundBlock(x, 256, out->q);
    int most = 0;
    for (std::size_t s = 0; s < 16; ++s) {
      int sum = 0;
      int magnitudes = 0;
      for (std::size_t i = 0; i < 16; ++i) {
        sum += out->q[16 * s + i];
        magnitudes += std::abs(out->q[16 * s + i]);
      }
      out->sums[s] = static_cast<std::int16_t>(sum);
      most = std::max(most, magnitudes);
    }
    out->most = static_cast<std::int16_t>(most);
    for (std::size_t s = 0; s < 8; ++s) {
      out->pair_sums[s] = static_cast<std::int16_t>(out->sums[2 * s] + out->sums[2 * s + 1]);
    }
  }
}

void QuantizeQ8x32(const float* x, std::size_t n, BlockQ8x32* out, std::size_t slots) {
  for (std::size_t b = 0; b < n / 32; ++b, x += 32, out += slots) {
    out->d = RoundBlock(x, 32, out->q);
    out->sum = 0;
    for (std::size_t i = 0; i < 32; ++i) {
      out->sum += out->q[i];
    }
  }
}

void DotRows(const float* w, const float* x, std::size_t x_stride, std::size_t tokens,
             std::size_t n, float* y, std::size_t y_stride) {
  for (std::size_t t = 0; t < tokens; ++t) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      sum += static_cast<double>(w[i]) * static_cast<double>(x[t * x_stride + i]);
    }
    y[t * y_stride] = static_cast<float>(sum);
  }
}

double InverseRms(const float* x, std::size_t n, float eps) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  return 1.0 / std::sqrt(sum / static_cast<double>(n) + static_cast<double>(eps));
}

void RmsNorm(const float* x, const float* gain, std::size_t n, float eps, float* y) {
  const double scale = InverseRms(x, n, eps);
  for (std::size_t i = 0; i < n; ++i) {
    y[i] = static_cast<float>(static_cast<double>(x[i]) * scale * static_cast<double>(gain[i]));
  }
}

void LayerNorm(const float* x, const float* gain, const float* bias, std::size_t n, float eps,
               float* y) {
  double mean = 0;
  for (std::size_t i = 0; i < n; ++i) {
    mean += static_cast<double>(x[i]);
  }
  mean /= static_cast<double>(n);
  double variance = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double d = static_cast<double>(x[i]) - mean;
    variance += d * d;
  }
  variance /= static_cast<double>(n);
  const double scale = 1.0 / std::sqrt(variance + static_cast<double>(eps));
  for (std::size_t i = 0; i < n; ++i) {
    const double normed = (static_cast<double>(x[i]) - mean) * scale;
    y[i] = static_cast<float>(normed * static_cast<double>(gain[i]) + static_cast<double>(bias[i]));
  }
}

void Add(const float* x, float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    y[i] += x[i];
  }
}

void SwiGlu(float* gate, const float* up, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    gate[i] = static_cast<float>(Silu(static_cast<double>(gate[i])) * static_cast<double>(up[i]));
  }
}

void SigmoidGate(float* x, const float* gate, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    x[i] = static_cast<float>(static_cast<double>(x[i]) * Sigmoid(static_cast<double>(gate[i])));
  }
}

void GatedNorm(float* x, const float* z, const float* gain, std::size_t n, float eps) {
  const double scale = InverseRms(x, n, eps);
  for (std::size_t i = 0; i < n; ++i) {
    const double normed = static_cast<double>(x[i]) * scale * static_cast<double>(gain[i]);
    x[i] = static_cast<float>(normed * Silu(static_cast<double>(z[i])));
  }
}

void Rope(float* x, const float* cosines, const float* sines, std::size_t half) {
  for (std::size_t i = 0; i < half; ++i) {
    const auto a = static_cast<double>(x[i]);
    const auto b = static_cast<double>(x[i + half]);
    const auto c = static_cast<double>(cosines[i]);
    const auto s = static_cast<double>(sines[i]);
    x[i] = static_cast<float>(a * c - b * s);
    x[i + half] = static_cast<float>(b * c + a * s);
  }
}

void KvStoreQ8(const float* x, std::size_t n, std::uint8_t* out) {
  for (std::size_t b = 0; b < n / kKvBlock; ++b, x += kKvBlock, out += 34) {
    float amax = 0;
    for (std::size_t i = 0; i < kKvBlock; ++i) {
      amax = std::max(amax, std::fabs(x[i]));
    }
    const std::uint16_t d = FloatToHalf(amax / 127.0F);
    // Below this the inverse may be infinite, and d rounds to zero anyway.
    const float inverse = amax < 0x1p-100F ? 0.0F : 127.0F / amax;
    std::memcpy(out, &d, sizeof(d));
    for (std::size_t i = 0; i < kKvBlock; ++i) {
      const auto q = static_cast<std::int8_t>(std::nearbyintf(x[i] * inverse));
      std::memcpy(out + 2 + i, &q, 1);
    }
  }
}

// Codes 0 to 15 stand for -8 to 7 times d: the value of the largest magnitude becomes -8. Values 2
// i and 2 i + 1 share a byte, the lower half first (ggml's q4_0 pairs i with i + 16).
void KvStoreQ4(const float* x, std::size_t n, std::uint8_t* out) {
  for (std::size_t b = 0; b < n / kKvBlock; ++b, x += kKvBlock, out += 18) {
    float least = 0;
    float most = 0;
    for (std::size_t i = 0; i < kKvBlock; ++i) {
      least = std::min(least, x[i]);
      most = std::max(most, x[i]);
    }
    const float largest = most < -least ? least : most;
    const std::uint16_t d = FloatToHalf(largest / -8.0F);
    const float inverse = std::fabs(largest) < 0x1p-100F ? 0.0F : -8.0F / largest;
    std::memcpy(out, &d, sizeof(d));
    const auto code = [inverse](float value) {
      return static_cast<unsigned>(std::min(std::nearbyintf(value * inverse) + 8.0F, 15.0F));
    };
    for (std::size_t i = 0; i < kKvBlock / 2; ++i) {
      out[2 + i] = static_cast<std::uint8_t>(code(x[2 * i]) | code(x[2 * i + 1]) << 4U);
    }
  }
}

void KvStore(int kv_type, const float* x, std::size_t n, void* out) {
  if (kv_type == kKvF32) {
    std::memcpy(out, x, n * sizeof(float));
  } else if (kv_type == kKvF16 || kv_type == kKvBf16) {
    auto* half = static_cast<std::uint16_t*>(out);
    for (std::size_t i = 0; i < n; ++i) {
      half[i] = kv_type == kKvF16 ? FloatToHalf(x[i]) : FloatToBf16(x[i]);
    }
  } else if (kv_type == kKvQ4) {
    KvStoreQ4(x, n, static_cast<std::uint8_t*>(out));
  } else {
    KvStoreQ8(x, n, static_cast<std::uint8_t*>(out));
  }
}

void KvLoad(int kv_type, const std::byte* row, std::size_t n, float* out) {
  if (kv_type == kKvF32) {
    std::memcpy(out, row, n * sizeof(float));
    return;
  }
  if (kv_type == kKvF16 || kv_type == kKvBf16) {
    for (std::size_t i = 0; i < n; ++i) {
      std::uint16_t half = 0;
      std::memcpy(&half, row + 2 * i, sizeof(half));
      out[i] = kv_type == kKvF16 ? HalfToFloat(half) : Bf16ToFloat(half);
    }
    return;
  }
  if (kv_type == kKvQ4) {
    for (std::size_t b = 0; b < n / kKvBlock; ++b, row += 18) {
      std::uint16_t d = 0;
      std::memcpy(&d, row, sizeof(d));
      for (std::size_t i = 0; i < kKvBlock; ++i) {
        const auto pair = std::to_integer<unsigned>(row[2 + i / 2]);
        const int q = static_cast<int>(i % 2 == 0 ? pair & 15U : pair >> 4U) - 8;
        out[b * kKvBlock + i] = HalfToFloat(d) * static_cast<float>(q);
      }
    }
    return;
  }
  for (std::size_t b = 0; b < n / kKvBlock; ++b, row += 34) {
    std::uint16_t d = 0;
    std::memcpy(&d, row, sizeof(d));
    for (std::size_t i = 0; i < kKvBlock; ++i) {
      std::int8_t q = 0;
      std::memcpy(&q, row + 2 + i, 1);
      out[b * kKvBlock + i] = HalfToFloat(d) * static_cast<float>(q);
    }
  }
}

// The key or value of a position, by TakeKey or TakeValue.
template <auto kTake>
void LoadAt(const AttentionTask& task, const KvParts& kv, std::size_t position, float* out) {
  std::byte row[kAttentionMaxDim * sizeof(float)];
  kTake(static_cast<KvType>(task.kv_type), kv.pages[position / kPageTokens] + kv.offset,
        task.head_dim, position % kPageTokens, row);
  KvLoad(task.kv_type, row, task.head_dim, out);
}

// One query row of one head: running softmax over pages, positions in order.
void AttendRow(const AttentionTask& task, const float* q, std::size_t position, float* out) {
  float row[kAttentionMaxDim];
  double sum_vector[kAttentionMaxDim] = {};
  double scores[kPageTokens];
  double maximum = -INFINITY;
  double total = 0;
  for (std::size_t page = 0; page * kPageTokens <= position; ++page) {
    const std::size_t begin = page * kPageTokens;
    const std::size_t count = std::min(kPageTokens, position + 1 - begin);
    double page_max = -INFINITY;
    for (std::size_t j = 0; j < count; ++j) {
      LoadAt<&TakeKey>(task, task.k, begin + j, row);
      double dot = 0;
      for (std::size_t i = 0; i < task.head_dim; ++i) {
        dot += static_cast<double>(q[i]) * static_cast<double>(row[i]);
      }
      scores[j] = dot * static_cast<double>(task.scale);
      page_max = std::max(page_max, scores[j]);
    }
    const double new_max = std::max(maximum, page_max);
    const double correction = std::exp(maximum - new_max);
    maximum = new_max;
    total *= correction;
    for (std::size_t i = 0; i < task.head_dim; ++i) {
      sum_vector[i] *= correction;
    }
    for (std::size_t j = 0; j < count; ++j) {
      const double p = std::exp(scores[j] - maximum);
      total += p;
      LoadAt<&TakeValue>(task, task.v, begin + j, row);
      for (std::size_t i = 0; i < task.head_dim; ++i) {
        sum_vector[i] += p * static_cast<double>(row[i]);
      }
    }
  }
  for (std::size_t i = 0; i < task.head_dim; ++i) {
    out[i] = static_cast<float>(sum_vector[i] / total);
  }
}

void Attention(const AttentionTask& task) {
  for (std::size_t t = 0; t < task.rows; ++t) {
    for (std::size_t h = 0; h < task.heads; ++h) {
      AttendRow(task, task.q + t * task.q_row_stride + h * task.q_head_stride,
                task.first_position + t, task.out + t * task.out_row_stride + h * task.head_dim);
    }
  }
}

// A block holds the keys, then the values, each as it stands: FullRowFloats apart.
std::size_t FullRowFloats(std::size_t dim) {
  return (dim + kFullDimMultiple - 1) / kFullDimMultiple * kFullDimMultiple;
}

void PackKeys(const PackKeysTask& task) {
  const std::size_t row = FullRowFloats(task.head_dim);
  for (std::size_t j = 0; j < task.count; ++j) {
    std::copy_n(task.k + j * task.stride, task.head_dim, task.block + j * row);
    std::copy_n(task.v + j * task.stride, task.head_dim, task.block + (kFullBlockKeys + j) * row);
  }
}

void FullAttention(const FullAttentionTask& task) {
  const std::size_t row = FullRowFloats(task.head_dim);
  const auto key = [&](std::size_t j) {
    return task.blocks + (j / kFullBlockKeys * 2 * kFullBlockKeys + j % kFullBlockKeys) * row;
  };
  for (std::size_t t = 0; t < task.rows; ++t) {
    const float* q = task.q + t * task.q_stride;
    const auto score = [&](std::size_t j) {
      double dot = 0;
      for (std::size_t i = 0; i < task.head_dim; ++i) {
        dot += static_cast<double>(q[i]) * static_cast<double>(key(j)[i]);
      }
      return dot * static_cast<double>(task.scale);
    };
    double maximum = -INFINITY;
    for (std::size_t j = 0; j < task.keys; ++j) {
      maximum = std::max(maximum, score(j));
    }
    double sums[kAttentionMaxDim] = {};
    double total = 0;
    for (std::size_t j = 0; j < task.keys; ++j) {
      const double p = std::exp(score(j) - maximum);
      const float* value = key(j) + kFullBlockKeys * row;
      total += p;
      for (std::size_t i = 0; i < task.head_dim; ++i) {
        sums[i] += p * static_cast<double>(value[i]);
      }
    }
    for (std::size_t i = 0; i < task.head_dim; ++i) {
      task.out[t * task.out_stride + i] = static_cast<float>(sums[i] / total);
    }
  }
}

// x / sqrt(sum(x^2) + 1e-6) * scale; eps is added to the sum, not the mean.
void L2Normalise(const float* x, std::size_t n, double scale, double* y) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  const double factor = scale / std::sqrt(sum + 1e-6);
  for (std::size_t i = 0; i < n; ++i) {
    y[i] = static_cast<double>(x[i]) * factor;
  }
}

void DeltaRow(const DeltaTask& task, std::size_t t) {
  double q[kAttentionMaxDim];
  double k[kAttentionMaxDim];
  const std::size_t n = task.dim;
  L2Normalise(task.q + t * task.qkv_stride, n, 1.0 / std::sqrt(static_cast<double>(n)), q);
  L2Normalise(task.k + t * task.qkv_stride, n, 1.0, k);
  const double beta = Sigmoid(static_cast<double>(task.beta[t * task.beta_stride]));
  const double alpha =
      static_cast<double>(task.alpha[t * task.alpha_stride]) + static_cast<double>(task.dt);
  const double decay = std::exp(static_cast<double>(task.a) * Softplus(alpha));
  for (std::size_t v = 0; v < n; ++v) {
    float* state = task.state + v;  // a column
    double predicted = 0;
    for (std::size_t i = 0; i < n; ++i) {
      predicted += decay * static_cast<double>(state[i * n]) * k[i];
    }
    const double delta = beta * (static_cast<double>(task.v[t * task.qkv_stride + v]) - predicted);
    double out = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double updated = decay * static_cast<double>(state[i * n]) + delta * k[i];
      state[i * n] = static_cast<float>(updated);
      out += updated * q[i];
    }
    task.out[t * task.out_stride + v] = static_cast<float>(out);
  }
}

void Delta(const DeltaTask& task) {
  for (std::size_t t = 0; t < task.rows; ++t) {
    DeltaRow(task, t);
    if (task.snapshots != nullptr && task.snapshots[t] != nullptr) {
      std::memcpy(task.snapshots[t] + task.snapshot_offset, task.state,
                  task.dim * task.dim * sizeof(float));
    }
  }
}

void ConvSilu(const ConvTask& task) {
  for (std::size_t c = task.begin; c < task.end; ++c) {
    float window[3] = {task.state_3C[c], task.state_3C[task.channels + c],
                       task.state_3C[2 * task.channels + c]};
    const float* w = task.w_C4 + 4 * c;
    for (std::size_t t = 0; t < task.rows; ++t) {
      const float x = task.x[t * task.x_stride + c];
      double sum = static_cast<double>(w[3]) * static_cast<double>(x);
      for (std::size_t j = 0; j < 3; ++j) {
        sum += static_cast<double>(w[j]) * static_cast<double>(window[j]);
      }
      task.y[t * task.y_stride + c] = static_cast<float>(Silu(sum));
      window[0] = window[1];
      window[1] = window[2];
      window[2] = x;
      if (task.snapshots != nullptr && task.snapshots[t] != nullptr) {
        for (std::size_t j = 0; j < 3; ++j) {
          task.snapshots[t][j * task.channels + c] = window[j];
        }
      }
    }
    for (std::size_t j = 0; j < 3; ++j) {
      task.state_3C[j * task.channels + c] = window[j];
    }
  }
}

void ReadBytes(const void* p, std::size_t n) {
  const auto* words = static_cast<const std::uint64_t*>(p);
  std::uint64_t sums[4] = {};
  for (std::size_t i = 0; i < n / sizeof(std::uint64_t); i += 4) {
    for (std::size_t chain = 0; chain < 4; ++chain) {
      sums[chain] ^= words[i + chain];
    }
  }
  __asm__ volatile("" ::"r"(sums) : "memory");
}

std::size_t Int8DotRounds(std::size_t rounds) {
  constexpr std::size_t kLength = 32;
  std::int8_t w[kLength] = {3};
  std::int8_t x[kLength] = {5};
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < rounds; ++i) {
    __asm__ volatile("" ::"r"(w), "r"(x) : "memory");  // every round anew
    for (std::size_t j = 0; j < kLength; ++j) {
      sum += w[j] * x[j];
    }
  }
  __asm__ volatile("" ::"r"(sum));
  return rounds * kLength * 2;
}

}  // namespace

void InstallScalar(KernelTable* table) {
  table->name = "scalar";
  for (MatMulKernel& kernel : table->matmul) {
    kernel = {Activation::kF32, nullptr};
  }
  table->quantize_q8k = &QuantizeQ8K;
  table->quantize_q8_0 = &QuantizeQ8x32;
  table->dot_rows = &DotRows;
  table->rms_norm = &RmsNorm;
  table->layer_norm = &LayerNorm;
  table->add = &Add;
  table->swiglu = &SwiGlu;
  table->sigmoid_gate = &SigmoidGate;
  table->gated_norm = &GatedNorm;
  table->rope = &Rope;
  table->kv_store = &KvStore;
  table->attention = &Attention;
  table->pack_keys = &PackKeys;
  table->full_attention = &FullAttention;
  table->delta = &Delta;
  table->conv_silu = &ConvSilu;
  table->read_bytes = &ReadBytes;
  table->int8_dot_rounds = &Int8DotRounds;
}

}  // namespace tandem::cpu
