#include "measure/bench.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/aligned_buffer.h"
#include "base/format.h"
#include "base/rng.h"
#include "measure/random_state.h"
#include "plan/memory.h"
#include "runtime/engine.h"
#include "runtime/sampler.h"

namespace tandem {
namespace {

constexpr std::size_t kStepRows = 256;
constexpr std::size_t kShortPrompt = 20;
constexpr std::uint64_t kTokenSeed = 20;
constexpr std::uint64_t kStateSeed = 21;

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// One model on one number of threads.
class Bench {
 public:
  Bench(const Network& network, const BenchOptions& options, std::unique_ptr<Ops> ops)
      : network_(network),
        options_(options),
        ops_(std::move(ops)),
        pool_(network.kv_layout(options.kv)),
        scratch_(network.NewScratch(kStepRows)) {}

  // Reads every weight once and wakes the threads.
  void WarmUp() {
    SequenceState state = NewState();
    TANDEM_CHECK(Step(*ops_, {&state, 1}, 1, {0}, 0).ok(), "one row needs one page");
  }

  Result<std::vector<SequenceState>> StatesAt(std::size_t depth, std::size_t count) {
    std::vector<SequenceState> states;
    for (std::size_t i = 0; i < count; ++i) {
      states.push_back(NewState());
      TANDEM_RETURN_IF_ERROR(
          FillRandomState(network_, *ops_, depth, kStateSeed + i, states.back()));
    }
    return states;
  }

  /// Runs `phase` from copies of `states`, the repeats and what was asked for beyond them.
  Result<BenchResult> Measure(BenchPhase phase, const std::vector<SequenceState>& states) {
    BenchResult result{
        .phase = phase,
        .tokens = phase == BenchPhase::kPrefill ? options_.prefill_tokens : options_.decode_tokens,
        .depth = states.front().length(),
        .batch = states.size(),
        .threads = ops_->threads()};
    std::vector<double> seconds;
    for (std::size_t repeat = 0; repeat < options_.repeats; ++repeat) {
      TANDEM_ASSIGN_OR_RETURN(const double time, Repeat(*ops_, phase, states));
      seconds.push_back(time);
    }
    std::sort(seconds.begin(), seconds.end());
    result.median_seconds = seconds[seconds.size() / 2];
    // A verifying step counts as one: how many drafted tokens hold is not the engine's doing.
    const double tokens = static_cast<double>(result.tokens * result.batch);
    result.tokens_per_second = {.median = tokens / result.median_seconds,
                                .min = tokens / seconds.back(),
                                .max = tokens / seconds.front()};
    ProfiledOps profiled(*ops_);
    TANDEM_RETURN_IF_ERROR(Repeat(profiled, phase, states).status());
    const OpCost total = profiled.Total();
    result.bytes = static_cast<double>(total.bytes);
    result.int_ops = static_cast<double>(total.int_ops);
    if (options_.profile) {
      result.profile = profiled.costs();
    }
    return result;
  }

 private:
  SequenceState NewState() { return SequenceState(pool_, network_.info().recurrent_floats); }

  // Seconds of one repeat; copying the states is not counted.
  Result<double> Repeat(Ops& ops, BenchPhase phase, const std::vector<SequenceState>& states) {
    std::vector<SequenceState> copies;
    copies.reserve(states.size());
    for (const SequenceState& state : states) {
      copies.push_back(state.Fork());
    }
    double seconds = 0;
    if (phase == BenchPhase::kPrefill) {
      for (std::size_t done = 0; done < options_.prefill_tokens; done += kStepRows) {
        const std::size_t rows = std::min(kStepRows, options_.prefill_tokens - done);
        const bool last = done + rows == options_.prefill_tokens;
        TANDEM_ASSIGN_OR_RETURN(
            const double time,
            Step(ops, copies, rows, last ? std::vector{rows - 1} : std::vector<std::size_t>(), 0));
        seconds += time;
      }
      return seconds;
    }
    const std::size_t rows = phase == BenchPhase::kVerify ? options_.draft_tokens + 1 : 1;
    std::vector<std::size_t> logit_rows;
    for (std::size_t row = 0; row < rows; ++row) {
      logit_rows.push_back(row);
    }
    for (std::size_t step = 0; step < options_.decode_tokens; ++step) {
      TANDEM_ASSIGN_OR_RETURN(const double time, Step(ops, copies, rows, logit_rows, rows - 1));
      seconds += time;
      for (SequenceState& copy : copies) {
        copy.Truncate(copy.length() - (rows - 1));  // no drafted token holds: the dearest case
      }
    }
    return seconds;
  }

  // Reads `rows` random tokens into each state.
  Result<double> Step(Ops& ops, std::span<SequenceState> states, std::size_t rows,
                      const std::vector<std::size_t>& logit_rows, std::size_t rollback_rows) {
    ids_.resize(states.size() * rows);
    positions_.resize(ids_.size());
    batch_.clear();
    const std::size_t vocabulary = network_.info().vocabulary;
    for (std::size_t i = 0; i < states.size(); ++i) {
      const std::size_t length = states[i].length();
      for (std::size_t row = 0; row < rows; ++row) {
        ids_[i * rows + row] = static_cast<TokenId>(UniformAt(kTokenSeed, next_token_++) *
                                                    static_cast<double>(vocabulary));
        const auto position = static_cast<std::int32_t>(length + row);
        positions_[i * rows + row] = {position, position, position};
      }
      TANDEM_RETURN_IF_ERROR(states[i].kv().Reserve(length, length + rows));
      network_.PlanLength(states[i], length + rows);
      batch_.push_back({.state = &states[i],
                        .ids = std::span(ids_).subspan(i * rows, rows),
                        .positions = std::span(positions_).subspan(i * rows, rows),
                        .vectors_TE = {},
                        .logit_rows = logit_rows,
                        .rollback_rows = rollback_rows,
                        .keep_after = 0});
    }
    const std::size_t logits = states.size() * logit_rows.size();
    if (logits_.size() < logits * vocabulary) {
      logits_ = AlignedBuffer<float>(logits * vocabulary);
    }
    const Mat<float> logits_RV(logits_.data(), logits, vocabulary);
    const auto start = Clock::now();
    network_.Forward(ops, batch_, *scratch_, logits_RV, nullptr);
    return SecondsSince(start);
  }

  const Network& network_;
  const BenchOptions& options_;
  std::unique_ptr<Ops> ops_;
  KvPool pool_;
  std::unique_ptr<StepScratch> scratch_;
  std::uint64_t next_token_ = 0;
  std::vector<TokenId> ids_;
  std::vector<RowPosition> positions_;
  std::vector<BatchSequence> batch_;
  AlignedBuffer<float> logits_;
};

std::size_t Most(const std::vector<std::size_t>& numbers) {
  return *std::max_element(numbers.begin(), numbers.end());
}

Status CheckOptions(const Network& network, const BenchOptions& options) {
  const ModelInfo& info = network.info();
  if (info.head_dim % KvBlockLength(options.kv) != 0) {
    return {StatusCode::kInvalidArgument,
            Format("KV cache type {} needs heads of a multiple of {} values; this model has {}",
                   KvTypeName(options.kv), KvBlockLength(options.kv), info.head_dim)};
  }
  const std::size_t tokens =
      std::max(options.prefill_tokens, options.decode_tokens + options.draft_tokens);
  if (Most(options.depths) + tokens > info.context_length) {
    return {StatusCode::kInvalidArgument,
            Format("depth {} and {} tokens after it are more than the model's limit of {}",
                   Most(options.depths), tokens, info.context_length)};
  }
  if (Most(options.batches) * (options.draft_tokens + 1) > kStepRows) {
    return {StatusCode::kInvalidArgument,
            Format("batch {} is more than {}", Most(options.batches), kStepRows)};
  }
  const MemoryNeed one = PlanMemory(info, {.context_tokens = Most(options.depths) + tokens,
                                           .kv = options.kv,
                                           .step_rows = kStepRows,
                                           .threads = Most(options.threads)});
  // Each sequence is kept at its depth and copied for every repeat; pages are shared.
  const std::uint64_t need =
      one.working + Most(options.batches) * (one.cache + one.state + one.state);
  const std::uint64_t available = AvailableMemory();
  if (need > available) {
    return {StatusCode::kOutOfMemory,
            Format("{} sequences of {} tokens need {} besides the weights; {} is available",
                   Most(options.batches), Most(options.depths) + tokens,
                   FormatBytes(static_cast<double>(need)),
                   FormatBytes(static_cast<double>(available)))};
  }
  return OkStatus();
}

}  // namespace

Result<FirstToken> MeasureFirstToken(const Network& network, const BenchOptions& options) {
  const auto start = Clock::now();
  EngineOptions engine_options;
  engine_options.cpu.threads = options.threads.front();
  engine_options.cpu.pin = options.pin;
  engine_options.cpu.isa = options.isa;
  engine_options.kv = options.kv;
  TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                          Engine::Create(network, engine_options));
  const std::size_t vocabulary = network.info().vocabulary;
  Sampler sampler({.temperature = 0}, vocabulary, {});
  std::uint64_t next_token = 0;
  const auto read = [&](Sequence& sequence, Request& request) {
    request.sequence = &sequence;
    for (std::size_t i = 0; i < kShortPrompt; ++i) {
      request.prompt.push_back(static_cast<TokenId>(UniformAt(kTokenSeed, next_token++) *
                                                    static_cast<double>(vocabulary)));
    }
    request.sampler = &sampler;
    request.max_tokens = 1;
    return engine->Run(request);
  };
  FirstToken result{.prompt_tokens = kShortPrompt};
  Sequence first = engine->NewSequence();
  Request first_request;
  TANDEM_RETURN_IF_ERROR(read(first, first_request));
  result.seconds = SecondsSince(start);
  Sequence second = engine->NewSequence();
  Request second_request;
  TANDEM_RETURN_IF_ERROR(read(second, second_request));
  result.prefill_seconds = second_request.prefill_time.count();
  return result;
}

std::string_view BenchPhaseName(BenchPhase phase) {
  switch (phase) {
    case BenchPhase::kPrefill:
      return "prefill";
    case BenchPhase::kVerify:
      return "verify";
    case BenchPhase::kDecode:
      break;
  }
  return "decode";
}

Result<std::vector<BenchResult>> RunBench(const Network& network, const BenchOptions& options,
                                          const BenchProgress& progress) {
  TANDEM_RETURN_IF_ERROR(CheckOptions(network, options));
  std::vector<BenchResult> results;
  for (const std::size_t threads : options.threads) {
    CpuOptions cpu{.threads = threads, .pin = options.pin, .isa = options.isa};
    cpu.max_rows = kStepRows;
    cpu.max_cols = network.info().widest_input;
    TANDEM_ASSIGN_OR_RETURN(std::unique_ptr<Ops> ops, MakeCpuOps(cpu));
    Bench bench(network, options, std::move(ops));
    bench.WarmUp();
    const auto measure = [&](BenchPhase phase, std::size_t depth, std::size_t batch) -> Status {
      progress(Format("{} at depth {}, batch {}, {} threads", BenchPhaseName(phase), depth, batch,
                      threads));
      TANDEM_ASSIGN_OR_RETURN(const std::vector<SequenceState> states,
                              bench.StatesAt(depth, batch));
      TANDEM_ASSIGN_OR_RETURN(BenchResult result, bench.Measure(phase, states));
      results.push_back(std::move(result));
      return OkStatus();
    };
    for (const std::size_t depth : options.depths) {
      if (options.prefill_tokens > 0) {
        TANDEM_RETURN_IF_ERROR(measure(BenchPhase::kPrefill, depth, 1));
      }
      for (const std::size_t batch : options.batches) {
        if (options.decode_tokens > 0) {
          TANDEM_RETURN_IF_ERROR(measure(BenchPhase::kDecode, depth, batch));
        }
      }
      if (options.decode_tokens > 0 && options.draft_tokens > 0) {
        TANDEM_RETURN_IF_ERROR(measure(BenchPhase::kVerify, depth, 1));
      }
    }
  }
  return results;
}

}  // namespace tandem
