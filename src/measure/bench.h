#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "kernels/ops.h"
#include "measure/profiled_ops.h"
#include "model/network.h"

namespace tandem {

/// What to time. Every combination of threads, depth and batch is run.
struct BenchOptions {
  std::size_t prefill_tokens = 512;        // 0: no prefill
  std::size_t decode_tokens = 32;          // steps per repeat; 0: no decode
  std::vector<std::size_t> depths = {0};   // tokens read before, filled with random data
  std::vector<std::size_t> batches = {1};  // sequences that decode together
  std::size_t draft_tokens =
      0;  // > 0: also steps that verify so many drafted tokens of one sequence
  std::vector<std::size_t> threads;  // not empty
  std::size_t repeats = 5;
  KvType kv = KvType::kF16;
  std::string isa = "auto";
  bool pin = false;
  bool profile = false;
};

/// Tokens per second over the repeats.
struct Rate {
  double median = 0;
  double min = 0;
  double max = 0;
};

enum class BenchPhase { kPrefill, kDecode, kVerify };
std::string_view BenchPhaseName(BenchPhase phase);

struct BenchResult {
  BenchPhase phase = BenchPhase::kPrefill;
  std::size_t tokens = 0;  // per repeat: prompt tokens, or steps of each sequence
  std::size_t depth = 0;
  std::size_t batch = 1;
  std::size_t threads = 0;
  Rate tokens_per_second = {};  // of all sequences together
  /// Of one repeat, as counted: bytes of weights, cache and state that had to move, and integer
  /// operations of matrix products.
  double bytes = 0;
  double int_ops = 0;
  double median_seconds = 0;         // of one repeat
  std::vector<OpCost> profile = {};  // of one more repeat; empty unless asked for
};

/// How long the first token of a short prompt takes, with weights that are mapped but not set up.
struct FirstToken {
  std::size_t prompt_tokens = 0;
  double seconds = 0;          // making an engine, reading the prompt, sampling
  double prefill_seconds = 0;  // reading another prompt of that length with the same engine
};

/// On options.threads.front() threads. Errors of Engine::Create.
Result<FirstToken> MeasureFirstToken(const Network& network, const BenchOptions& options);

/// One line for people before each measurement.
using BenchProgress = std::function<void(std::string_view line)>;

/// Times `network` on the CPU. Weights are read once before anything is timed, so that a cold page
/// cache is not measured. InvalidArgument for a depth past the model's limit or a KV type that does
/// not fit its heads; OutOfMemory with the numbers when the caches would not fit.
Result<std::vector<BenchResult>> RunBench(const Network& network, const BenchOptions& options,
                                          const BenchProgress& progress);

}  // namespace tandem
