// Speed of the quantised matrix products: bytes of weights per second for few tokens, where memory
// sets the pace, and operations per second for many.
//   matmul_bench --benchmark_filter=Q4_K.*amx

#include <sys/mman.h>

#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/format.h"
#include "base/half.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/matmul.h"
#include "quant/formats.h"

namespace tandem::cpu {
namespace {

struct Shape {
  const char* type;
  const char* isa;
  std::size_t rows;
  std::size_t cols;
  std::size_t tokens;
  std::size_t threads;
};

// Copies of one weight take turns, so that none is in a cache when its turn comes.
constexpr std::size_t kWeightBytes = std::size_t{1} << 30;

/// One buffer for all benchmarks: filling a gigabyte takes longer than measuring. In huge pages, as
/// files lie in the page cache once they were read from disk.
std::span<const std::byte> RandomBytes() {
  static const std::span<const std::byte> bytes = [] {
    void* memory =
        ::mmap(nullptr, kWeightBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)::madvise(memory, kWeightBytes, MADV_HUGEPAGE);
    const std::span<std::byte> out(static_cast<std::byte*>(memory), kWeightBytes);
    std::mt19937_64 rng(1);
    for (std::size_t i = 0; i + 8 <= out.size(); i += 8) {
      // Exponents of halves stay finite wherever a scale may lie.
      const std::uint64_t v = rng() & 0xBFBFBFBFBFBFBFBFULL;
      std::memcpy(out.data() + i, &v, sizeof(v));
    }
    return std::span<const std::byte>(out);
  }();
  return bytes;
}

void RunShape(benchmark::State& state, const Shape& shape) {
  Result<KernelTable> table = SelectKernels(shape.isa);
  const quant::Format& format = *quant::FindFormat(std::string_view(shape.type));
  if (!table.ok() || table->matmul[static_cast<std::size_t>(format.type)].run == nullptr) {
    state.SkipWithError("no kernel here");
    return;
  }
  const std::size_t row_bytes = format.RowBytes(shape.cols);
  const std::size_t bytes = shape.rows * row_bytes;
  const std::size_t copies = shape.tokens > 16 ? 1 : kWeightBytes / bytes;
  std::vector<float> x(shape.tokens * shape.cols);
  std::mt19937 rng(2);
  std::normal_distribution<float> normal;
  for (float& v : x) {
    v = normal(rng);
  }
  std::vector<float> y(shape.tokens * shape.rows);
  ThreadPool pool(shape.threads);
  AlignedBuffer<std::byte> scratch(shape.threads * kScratchBytes);
  std::vector<std::byte*> worker_scratch;
  for (std::size_t i = 0; i < shape.threads; ++i) {
    worker_scratch.push_back(scratch.data() + i * kScratchBytes);
  }
  MatMulDriver driver(*table, pool, shape.tokens, shape.cols);
  std::size_t turn = 0;
  for (auto _ : state) {
    const QMat w{RandomBytes().data() + turn * bytes, format.type, shape.rows, shape.cols,
                 row_bytes};
    turn = (turn + 1) % copies;
    const MatMulTask task{&w, Mat<float>(y.data(), shape.tokens, shape.rows)};
    driver.Run(Mat<const float>(x.data(), shape.tokens, shape.cols), {&task, 1}, worker_scratch);
    benchmark::DoNotOptimize(y.data());
  }
  const auto runs = static_cast<double>(state.iterations());
  state.counters["GB/s"] =
      benchmark::Counter(runs * static_cast<double>(bytes) / 1e9, benchmark::Counter::kIsRate);
  state.counters["GOP/s"] =
      benchmark::Counter(runs * 2e-9 * static_cast<double>(shape.rows * shape.cols * shape.tokens),
                         benchmark::Counter::kIsRate);
}

/// The limit: plain reads of the same buffer.
void ReadMemory(benchmark::State& state, std::size_t threads) {
  const std::span<const std::byte> bytes = RandomBytes();
  ThreadPool pool(threads);
  constexpr std::size_t kPart = std::size_t{1} << 20;
  std::vector<std::uint64_t> sums(bytes.size() / kPart);
  for (auto _ : state) {
    pool.Run(sums.size(), [&](std::size_t part, std::size_t) {
      const std::byte* p = bytes.data() + part * kPart;
      std::uint64_t sum = 0;
      for (std::size_t i = 0; i < kPart; i += 8) {
        std::uint64_t v = 0;
        std::memcpy(&v, p + i, sizeof(v));
        sum += v;
      }
      sums[part] = sum;
    });
    benchmark::DoNotOptimize(sums.data());
  }
  state.counters["GB/s"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * static_cast<double>(bytes.size()) / 1e9,
      benchmark::Counter::kIsRate);
}

constexpr const char* kTypes[] = {"Q4_K",  "Q5_K",  "Q6_K",    "Q8_0",   "Q4_0",  "Q4_1",
                                  "Q5_0",  "Q5_1",  "IQ4_NL",  "Q3_K",   "Q2_K",  "IQ4_XS",
                                  "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS",
                                  "IQ3_S", "TQ1_0", "TQ2_0",   "MXFP4",  "BF16",  "F16"};

void RegisterAll() {
  for (const std::size_t threads : {std::size_t{1}, std::size_t{2}}) {
    benchmark::RegisterBenchmark(Format("read/{}t", threads).c_str(), ReadMemory, threads)
        ->UseRealTime();
    for (const char* type : kTypes) {
      for (const char* isa : {"avx2", "avx512vnni", "amx"}) {
        const Shape shapes[] = {
            {type, isa, 9216, 2560, 1, threads},  {type, isa, 2560, 9216, 1, threads},
            {type, isa, 9216, 2560, 2, threads},  {type, isa, 9216, 2560, 5, threads},
            {type, isa, 9216, 2560, 8, threads},  {type, isa, 9216, 2560, 16, threads},
            {type, isa, 9216, 2560, 64, threads}, {type, isa, 9216, 2560, 512, threads},
            {type, isa, 2560, 9216, 512, threads}};
        for (const Shape& s : shapes) {
          const std::string name =
              Format("{}/{}/{}x{}/{}tok/{}t", type, isa, s.rows, s.cols, s.tokens, threads);
          benchmark::RegisterBenchmark(name.c_str(), RunShape, s)->UseRealTime();
        }
      }
    }
  }
}

}  // namespace
}  // namespace tandem::cpu

int main(int argc, char** argv) {
  tandem::cpu::RegisterAll();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
