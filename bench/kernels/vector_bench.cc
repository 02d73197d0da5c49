// Speed of everything but the quantised matrix products, one thread each. Counters: "flops" against
// the rate of fused multiply-adds from registers, "bytes" against that of reading memory; both
// limits are measured first ("Limit").
//   vector_bench --benchmark_filter='Attention.*avx512'

#include <immintrin.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/aligned_buffer.h"
#include "base/format.h"
#include "fma_limit.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/kv_page.h"
#include "kernels/ops.h"

namespace tandem::cpu {
namespace {

using benchmark::Counter;

std::vector<float> Normals(std::size_t n, float scale = 1) {
  static std::mt19937 rng(1);
  std::normal_distribution<float> normal(0, scale);
  // A period of 4099 numbers: random enough, and a gigabyte is filled quickly.
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) {
    values[i] = i < 4099 ? normal(rng) : values[i - 4099];
  }
  return values;
}

void Rate(benchmark::State& state, const char* name, double per_iteration) {
  state.counters[name] = Counter(per_iteration, Counter::kIsIterationInvariantRate);
}

void LimitFlops(benchmark::State& state, bool wide) {
  constexpr std::size_t kRounds = 100000;
  const std::vector<float> start = Normals(kMultiplyAddChains + 1, 0.1F);
  for (auto _ : state) {
    benchmark::DoNotOptimize(wide ? MultiplyAdds512(kRounds, start.data())
                                  : MultiplyAdds256(kRounds, start.data()));
  }
  Rate(state, "flops", kRounds * kMultiplyAddChains * (wide ? 32.0 : 16.0));
}

__attribute__((target("avx2"))) int ReadAll(const std::byte* p, std::size_t n) {
  __m256i sum[4] = {};
  for (std::size_t i = 0; i < n; i += 128) {
#pragma GCC unroll 4
    for (std::size_t j = 0; j < 4; ++j) {
      const auto* at = reinterpret_cast<const __m256i*>(p + i + 32 * j);
      sum[j] = _mm256_xor_si256(sum[j], _mm256_loadu_si256(at));
    }
  }
  return _mm256_extract_epi32(
      _mm256_xor_si256(_mm256_xor_si256(sum[0], sum[1]), _mm256_xor_si256(sum[2], sum[3])), 0);
}

constexpr std::size_t kStreamBytes = std::size_t{1} << 30;
AlignedBuffer<std::byte>& StreamMemory() {
  static AlignedBuffer<std::byte> memory(kStreamBytes);
  return memory;
}

void LimitBytes(benchmark::State& state) {
  const AlignedBuffer<std::byte>& memory = StreamMemory();
  for (auto _ : state) {
    benchmark::DoNotOptimize(ReadAll(memory.data(), memory.size()));
  }
  Rate(state, "bytes", static_cast<double>(memory.size()));
}

struct AttentionShape {
  const char* name;
  KvType type;
  std::size_t heads;
  std::size_t head_dim;
};

// `layers` caches of one KV head take turns, so that a long context comes from memory.
void RunAttention(benchmark::State& state, const char* isa, const AttentionShape& shape,
                  std::size_t rows, std::size_t depth, std::size_t caches) {
  const KernelTable table = SelectKernels(isa).value();
  const std::size_t row_bytes = KvRowBytes(shape.type, shape.head_dim);
  const std::size_t page_bytes = 2 * kKvPageTokens * row_bytes;
  const std::size_t page_count = (depth + rows + kKvPageTokens - 1) / kKvPageTokens;
  AlignedBuffer<std::byte> memory(caches * page_count * page_bytes);
  const std::vector<float> x = Normals(4099);
  std::vector<std::byte> row(row_bytes);
  std::vector<std::byte*> pages;
  for (std::size_t i = 0; i < caches * page_count; ++i) {
    pages.push_back(memory.data() + i * page_bytes);
    for (std::size_t j = 0; j < kKvPageTokens; ++j) {
      table.kv_store(static_cast<int>(shape.type), x.data() + 34 * j, shape.head_dim, row.data());
      PlaceKey(shape.type, row.data(), shape.head_dim, j, pages.back());
      table.kv_store(static_cast<int>(shape.type), x.data() + 34 * j + 17, shape.head_dim,
                     row.data());
      PlaceValue(shape.type, row.data(), shape.head_dim, j,
                 pages.back() + kKvPageTokens * row_bytes);
    }
  }
  const std::vector<float> q = Normals(rows * shape.heads * shape.head_dim);
  std::vector<float> out(q.size());
  AlignedBuffer<std::byte> scratch(kScratchBytes);
  std::size_t turn = 0;
  for (auto _ : state) {
    std::byte* const* first = pages.data() + turn * page_count;
    turn = (turn + 1) % caches;
    table.attention({.q = q.data(),
                     .q_row_stride = shape.heads * shape.head_dim,
                     .q_head_stride = shape.head_dim,
                     .rows = rows,
                     .heads = shape.heads,
                     .head_dim = shape.head_dim,
                     .scale = 0.07F,
                     .first_position = depth,
                     .kv_type = static_cast<int>(shape.type),
                     .k = {first, 0},
                     .v = {first, kKvPageTokens * row_bytes},
                     .out = out.data(),
                     .out_row_stride = shape.heads * shape.head_dim,
                     .scratch = scratch.data()});
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  const auto seen = static_cast<double>(rows * depth + rows * (rows + 1) / 2);
  Rate(state, "flops", seen * 4 * static_cast<double>(shape.heads * shape.head_dim));
  Rate(state, "bytes", static_cast<double>(2 * (depth + rows) * row_bytes));
}

// One layer's 32 heads take turns, or all 24 layers' (50 MB of state) where only memory can serve.
void RunDelta(benchmark::State& state, const char* isa, std::size_t rows, std::size_t heads) {
  constexpr std::size_t kDim = 128;
  const KernelTable table = SelectKernels(isa).value();
  const std::vector<float> qkv = Normals(rows * 3 * kDim);
  const std::vector<float> gates = Normals(rows);
  AlignedBuffer<float> states(heads * kDim * kDim);
  std::vector<float> out(rows * kDim);
  AlignedBuffer<std::byte> scratch(kScratchBytes);
  std::size_t head = 0;
  for (auto _ : state) {
    table.delta({.q = qkv.data(),
                 .k = qkv.data() + kDim,
                 .v = qkv.data() + 2 * kDim,
                 .qkv_stride = 3 * kDim,
                 .beta = gates.data(),
                 .beta_stride = 1,
                 .alpha = gates.data(),
                 .alpha_stride = 1,
                 .a = -0.3F,
                 .dt = 0.1F,
                 .rows = rows,
                 .dim = kDim,
                 .state = states.data() + head * kDim * kDim,
                 .snapshots = nullptr,
                 .snapshot_offset = 0,
                 .out = out.data(),
                 .out_stride = kDim,
                 .scratch = scratch.data()});
    head = (head + 1) % heads;
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  const auto per_row = static_cast<double>(kDim * kDim);
  Rate(state, "flops", static_cast<double>(rows) * per_row * 8);
  Rate(state, "bytes", per_row * 2 * sizeof(float));
  // Qwen3.5-4B: 24 layers of 32 heads.
  state.counters["us_per_token"] = Counter(static_cast<double>(rows) * 1e-6 / (24.0 * 32.0),
                                           Counter::kIsIterationInvariantRate | Counter::kInvert);
}

void RunConv(benchmark::State& state, const char* isa) {
  constexpr std::size_t kChannels = 8192;
  constexpr std::size_t kRows = 64;
  const KernelTable table = SelectKernels(isa).value();
  const std::vector<float> x = Normals(kRows * kChannels);
  const std::vector<float> w = Normals(4 * kChannels);
  std::vector<float> cache(3 * kChannels);
  std::vector<float> y(x.size());
  for (auto _ : state) {
    table.conv_silu({.x = x.data(),
                     .x_stride = kChannels,
                     .w_C4 = w.data(),
                     .rows = kRows,
                     .channels = kChannels,
                     .begin = 0,
                     .end = kChannels,
                     .state_3C = cache.data(),
                     .snapshots = nullptr,
                     .y = y.data(),
                     .y_stride = kChannels});
    benchmark::ClobberMemory();
  }
  Rate(state, "elements", static_cast<double>(x.size()));
}

template <typename Run>
void RunElements(benchmark::State& state, std::size_t n, Run run) {
  const std::vector<float> input = Normals(n);
  std::vector<float> x = input;
  std::vector<float> y = Normals(n);
  const std::vector<float> z = Normals(n);
  for (auto _ : state) {
    std::memcpy(x.data(), input.data(), n * sizeof(float));  // kernels in place would end at zero
    run(x.data(), z.data(), y.data());
    benchmark::ClobberMemory();
  }
  Rate(state, "elements", static_cast<double>(n));
}

void RunFloatMatMul(benchmark::State& state, const char* isa, std::size_t type,
                    std::size_t tokens) {
  constexpr std::size_t kRows = 64;
  constexpr std::size_t kCols = 2560;
  const KernelTable table = SelectKernels(isa).value();
  const AlignedBuffer<std::byte>& memory = StreamMemory();
  const std::size_t bytes = kRows * kCols * sizeof(std::uint16_t);
  const std::size_t copies = tokens > 16 ? 1 : memory.size() / bytes;
  const std::vector<float> x = Normals(tokens * kCols);
  std::vector<float> y(tokens * kRows);
  std::size_t turn = 0;
  for (auto _ : state) {
    MatMulArgs args = {};
    args.w = memory.data() + turn * bytes;
    args.w_row_bytes = kCols * sizeof(std::uint16_t);
    args.rows = kRows;
    args.cols = kCols;
    args.x = x.data();
    args.x_row_bytes = kCols * sizeof(float);
    args.tokens = tokens;
    args.y = y.data();
    args.y_stride = kRows;
    table.matmul[type].run(args);
    turn = (turn + 1) % copies;
    benchmark::ClobberMemory();
  }
  Rate(state, "bytes", static_cast<double>(bytes));
  Rate(state, "flops", 2.0 * static_cast<double>(kRows * kCols * tokens));
}

template <typename F>
void Register(const std::string& name, F run) {
  benchmark::RegisterBenchmark(name.c_str(), run)->Unit(benchmark::kMicrosecond);
}

void RegisterSmall(const char* isa) {
  const KernelTable table = SelectKernels(isa).value();
  Register(Format("RmsNorm/{}", isa), [table](benchmark::State& state) {
    RunElements(state, 2560,
                [&](float* x, const float* z, float* y) { table.rms_norm(x, z, 2560, 1e-6F, y); });
  });
  Register(Format("SwiGlu/{}", isa), [table](benchmark::State& state) {
    RunElements(state, 9216,
                [&](float* x, const float* z, float* /*y*/) { table.swiglu(x, z, 9216); });
  });
  Register(Format("GatedNorm/{}", isa), [table](benchmark::State& state) {
    RunElements(state, 128, [&](float* x, const float* z, float* /*y*/) {
      table.gated_norm(x, z, z, 128, 1e-6F);
    });
  });
  Register(Format("DotRows/{}", isa), [table](benchmark::State& state) {
    RunElements(state, 2560, [&](float* x, const float* z, float* y) {
      table.dot_rows(x, z, 0, 1, 2560, y, 1);
    });
  });
  Register(Format("Conv/{}", isa), [isa](benchmark::State& state) { RunConv(state, isa); });
}

void RegisterTier(const char* isa) {
  if (!SelectKernels(isa).ok()) {
    return;
  }
  RegisterSmall(isa);
  Register(Format("Delta/{}/rows:512", isa),
           [isa](benchmark::State& state) { RunDelta(state, isa, 512, 32); });
  Register(Format("Delta/{}/rows:1", isa),
           [isa](benchmark::State& state) { RunDelta(state, isa, 1, 24 * 32); });
  const AttentionShape shapes[] = {{"qwen_f16", KvType::kF16, 4, 256},
                                   {"qwen_q8", KvType::kQ8_0, 4, 256},
                                   {"phi_f16", KvType::kF16, 3, 128},
                                   {"phi_q8", KvType::kQ8_0, 3, 128}};
  for (const AttentionShape& shape : shapes) {
    const std::size_t rows = kAttentionQueries / shape.heads;
    for (const std::size_t depth : {512 - rows, std::size_t{8192}}) {
      Register(Format("Attention/{}/{}/rows:{}/depth:{}", isa, shape.name, rows, depth),
               [=](benchmark::State& state) { RunAttention(state, isa, shape, rows, depth, 1); });
    }
    Register(Format("Attention/{}/{}/rows:1/depth:32767", isa, shape.name),
             [=](benchmark::State& state) { RunAttention(state, isa, shape, 1, 32767, 24); });
  }
  for (const auto& [name, type] : {std::pair("f16", std::size_t{1}), {"bf16", std::size_t{30}}}) {
    for (const std::size_t tokens : std::vector<std::size_t>{1, 4, 512}) {
      Register(
          Format("MatMul/{}/{}/tokens:{}", isa, name, tokens),
          [=, type = type](benchmark::State& state) { RunFloatMatMul(state, isa, type, tokens); });
    }
  }
}

void RegisterAll() {
  Register("Limit/bytes", [](benchmark::State& state) { LimitBytes(state); });
  Register("Limit/flops/avx2", [](benchmark::State& state) { LimitFlops(state, false); });
  if (DetectCpuFeatures().avx512_vnni) {
    Register("Limit/flops/avx512vnni", [](benchmark::State& state) { LimitFlops(state, true); });
  }
  RegisterTier("avx2");
  RegisterTier("avx512vnni");
}

}  // namespace
}  // namespace tandem::cpu

int main(int argc, char** argv) {
  tandem::cpu::RegisterAll();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
