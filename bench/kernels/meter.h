#pragma once

#include <x86intrin.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/format.h"
#include "base/function_ref.h"
#include "fma_limit.h"
#include "kernels/count_instructions.h"
#include "kernels/cpu/cpu_features.h"
#include "measure/machine.h"

// Counting cycles and instructions of a call without hardware counters; see kernel_counts.cc.

namespace tandem::cpu {

[[gnu::noinline]] inline std::uint64_t TicksOf(FunctionRef<void()> run) {
  _mm_lfence();
  const std::uint64_t begin = __rdtsc();
  _mm_lfence();
  run();
  _mm_lfence();
  return __rdtsc() - begin;
}

/// As long as kChainCycles on every x86-64 core since 2011: a 64-bit product is there after three.
inline constexpr std::uint64_t kChainRounds = 1000;
inline constexpr std::uint64_t kChainCycles = kChainRounds * 20 * 3;
inline void RunChain() {
  std::uint64_t x = 3;
  for (std::uint64_t i = 0; i < kChainRounds; ++i) {
    asm volatile(".rept 20\n imulq %0, %0\n .endr" : "+r"(x) : : "cc");
  }
}

/// Normally distributed numbers, the same for each n.
inline std::vector<float> Normals(std::size_t n, float scale = 1) {
  std::mt19937 rng(static_cast<std::uint32_t>(n));
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(n);
  for (float& v : values) {
    v = normal(rng);
  }
  return values;
}

/// Which limit operations are held against.
enum class Limit { kNone, kInt8, kFloat };

struct Row {
  const char* kernel;
  std::string shape;
  double bytes;
  double operations = 0;  // multiplications and additions
  Limit limit = Limit::kNone;
};

class Meter {
 public:
  Meter(const KernelTable& table, std::string_view only) : only_(only) {
    const auto nothing = [] {};
    call_instructions_ = InstructionsOf(nothing);
    if (call_instructions_ == 0) {
      std::fprintf(stderr, "kernel_counts: the trap flag does nothing here: no instructions\n");
    }
    call_ticks_ = std::numeric_limits<std::uint64_t>::max();
    for (int i = 0; i < 1000; ++i) {
      call_ticks_ = std::min(call_ticks_, TicksOf(nothing));
    }
    MeasureLimits(table);
  }

  bool Wants(std::string_view kernel) const { return kernel.find(only_) != std::string_view::npos; }

  /// Measures run(), with prepare() before each turn, and prints the row.
  void Measure(
      const Row& row, FunctionRef<void()> run, FunctionRef<void()> prepare = [] {}) const {
    const double cycles = CyclesOf(run, prepare);
    prepare();
    const std::uint64_t all = call_instructions_ == 0 ? 0 : InstructionsOf(run);
    const auto instructions = static_cast<double>(all - std::min(all, call_instructions_));
    std::printf("| %s | %s | %.0f |", row.kernel, row.shape.c_str(), cycles);
    std::printf(" %s | %s |", Number(instructions, 0).c_str(),
                Number(instructions / cycles, 2).c_str());
    std::printf(" %s | %s |", Number(row.bytes, 0).c_str(),
                Number(row.bytes > 0 ? cycles / row.bytes : 0, 3).c_str());
    const double rate = row.operations / cycles;
    const double limit = row.limit == Limit::kInt8    ? int8_limit_
                         : row.limit == Limit::kFloat ? float_limit_
                                                      : 0;
    std::printf(" %s | %s |\n", Number(rate, 1).c_str(),
                limit > 0 ? Format("{:.0f}%", 100 * rate / limit).c_str() : "-");
    (void)std::fflush(stdout);
  }

  void PrintHead(const KernelTable& table) const {
    const auto begin = std::chrono::steady_clock::now();
    const std::uint64_t ticks_begin = __rdtsc();
    double best_chain = std::numeric_limits<double>::max();
    for (int i = 0; i < kTurns; ++i) {
      best_chain = std::min(best_chain, static_cast<double>(TicksOf([] { RunChain(); })));
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    const double ticks_per_second = static_cast<double>(__rdtsc() - ticks_begin) / seconds.count();
    std::printf("%s, %s, %.2f GHz (counter %.2f); limits per cycle: %.0f int8, %.0f float\n\n",
                DescribeMachine().cpu.c_str(), table.name,
                1e-9 * kChainCycles * ticks_per_second / best_chain, 1e-9 * ticks_per_second,
                int8_limit_, float_limit_);
    std::puts(
        "| kernel | shape | cycles | instructions | per cycle | bytes | cycles per byte |"
        " operations per cycle | of the limit |");
    std::puts("|---|---|---|---|---|---|---|---|---|");
  }

 private:
  static constexpr int kTurns = 300;

  static std::string Number(double value, int digits) {
    return value > 0 ? Format("{:.{}f}", value, digits) : "-";
  }

  double CyclesOf(
      FunctionRef<void()> run, FunctionRef<void()> prepare = [] {}) const {
    std::uint64_t chain = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t kernel = chain;
    for (int i = 0; i < kTurns; ++i) {
      chain = std::min(chain, TicksOf([] { RunChain(); }));
      prepare();
      kernel = std::min(kernel, TicksOf(run));
    }
    return static_cast<double>(kernel - std::min(kernel, call_ticks_)) *
           static_cast<double>(kChainCycles) / static_cast<double>(chain - call_ticks_);
  }

  void MeasureLimits(const KernelTable& table) {
    constexpr std::size_t kRounds = 10000;
    std::size_t operations = 0;
    const double int8_cycles = CyclesOf([&] { operations = table.int8_dot_rounds(kRounds); });
    int8_limit_ = static_cast<double>(operations) / int8_cycles;
    const bool wide = DetectCpuFeatures().avx512_vnni && std::string_view(table.name) != "avx2";
    const std::vector<float> start = Normals(kMultiplyAddChains + 1, 0.1F);
    volatile float sum = 0;
    const double float_cycles = CyclesOf([&] {
      sum = wide ? MultiplyAdds512(kRounds, start.data()) : MultiplyAdds256(kRounds, start.data());
    });
    float_limit_ =
        static_cast<double>(kRounds * kMultiplyAddChains) * (wide ? 32 : 16) / float_cycles;
  }

  std::string_view only_;
  std::uint64_t call_instructions_ = 0;
  std::uint64_t call_ticks_ = 0;
  double int8_limit_ = 0;
  double float_limit_ = 0;
};

}  // namespace tandem::cpu
