// A decode step allocates nothing, takes no lock and reads neither the environment nor a file: the
// forward pass and the sampler, and a whole step of the engine, once they are warm.

#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "grammar/format.h"
#include "grammar/matcher.h"
#include "runtime/engine.h"
#include "runtime/loop_detector.h"
#include "tests/faults/replaced_new.h"
#include "tests/support/tiny_model.h"

namespace {

// Operator new and the wrapped functions have no other place for it.
// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables): see above.
std::atomic<std::size_t> allocations{0};
std::atomic<std::size_t> locks{0};
std::atomic<std::size_t> looks_outside{0};
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)

}  // namespace

bool tandem::tests::OnAllocation() noexcept {
  ++allocations;
  return true;
}

// What Tandem's code calls by these names comes here first (ld --wrap, tests/CMakeLists.txt).
extern "C" {
int __real_pthread_mutex_lock(pthread_mutex_t* mutex);
int __real_pthread_mutex_trylock(pthread_mutex_t* mutex);
int __real_pthread_rwlock_rdlock(pthread_rwlock_t* lock);
int __real_pthread_rwlock_wrlock(pthread_rwlock_t* lock);
char* __real_getenv(const char* name);
char* __real_secure_getenv(const char* name);
int __real_open(const char* path, int flags, int mode);

int __wrap_pthread_mutex_lock(pthread_mutex_t* mutex) {
  ++locks;
  return __real_pthread_mutex_lock(mutex);
}
int __wrap_pthread_mutex_trylock(pthread_mutex_t* mutex) {
  ++locks;
  return __real_pthread_mutex_trylock(mutex);
}
int __wrap_pthread_rwlock_rdlock(pthread_rwlock_t* lock) {
  ++locks;
  return __real_pthread_rwlock_rdlock(lock);
}
int __wrap_pthread_rwlock_wrlock(pthread_rwlock_t* lock) {
  ++locks;
  return __real_pthread_rwlock_wrlock(lock);
}
char* __wrap_getenv(const char* name) {
  ++looks_outside;
  return __real_getenv(name);
}
char* __wrap_secure_getenv(const char* name) {
  ++looks_outside;
  return __real_secure_getenv(name);
}
int __wrap_open(const char* path, int flags, int mode) {
  ++looks_outside;
  return __real_open(path, flags, mode);
}
}  // extern "C"

namespace tandem {
namespace {

struct Counts {
  std::size_t allocations = 0;
  std::size_t locks = 0;
  std::size_t looks_outside = 0;

  bool operator==(const Counts&) const = default;
};

Counts Now() {
  return {allocations, locks, looks_outside};
}

Counts Since(const Counts& before) {
  const Counts now = Now();
  return {now.allocations - before.allocations, now.locks - before.locks,
          now.looks_outside - before.looks_outside};
}

void PrintTo(const Counts& counts, std::ostream* out) {
  *out << counts.allocations << " allocations, " << counts.locks << " locks, "
       << counts.looks_outside << " looks outside";
}

// What `steps` decode steps do that stay within one page of the cache.
Counts StepsOf(const TinyModel& model, std::size_t steps) {
  const Network& network = *model.network;
  const auto ops =
      MakeCpuOps({.threads = 3, .max_rows = 64, .max_cols = network.info().widest_input}).value();
  KvPool pool(network.kv_layout(KvType::kF16));
  SequenceState state(pool, network.info().recurrent_floats);
  EXPECT_TRUE(state.kv().Reserve(0, 64).ok());
  const auto scratch = network.NewScratch(64);
  std::vector<float> logits(network.info().vocabulary);
  Sampler sampler({.temperature = 0.7F,
                   .top_k = 20,
                   .top_p = 0.9F,
                   .min_p = 0.01F,
                   .repetition_penalty = 1.1F,
                   .presence_penalty = 0.5F,
                   .seed = 1},
                  network.info().vocabulary, {});
  TokenId token = 1;
  const std::size_t row = 0;
  Counts before;
  for (std::size_t i = 0; i < 4 + steps; ++i) {
    if (i == 4) {
      before = Now();
    }
    const auto position = static_cast<std::int32_t>(i);
    const RowPosition positions = {position, position, position};
    const BatchSequence sequence{.state = &state,
                                 .ids = {&token, 1},
                                 .positions = {&positions, 1},
                                 .vectors_TE = {},
                                 .logit_rows = {&row, 1},
                                 .rollback_rows = 0,
                                 .keep_after = 0};
    network.Forward(*ops, {&sequence, 1}, *scratch, Mat<float>(logits.data(), 1, logits.size()),
                    nullptr);
    token = sampler.Sample(logits, i + 1).token;
    sampler.Accept(token);
  }
  return Since(before);
}

// The same of whole steps of the engine.
Counts EngineStepsOf(const TinyModel& model, std::size_t steps) {
  const auto engine = Engine::Create(*model.network, {.cpu = {.threads = 2}}).value();
  Sequence sequence = engine->NewSequence();
  Sampler sampler({.temperature = 0.7F, .top_k = 20, .seed = 1}, model.network->info().vocabulary,
                  {});
  Request request;
  request.sequence = &sequence;
  request.prompt = {1, 2, 3};
  request.sampler = &sampler;
  request.max_tokens = 1000;
  std::size_t tokens = 0;
  request.on_token = [&tokens](TokenId) {
    ++tokens;
    return true;
  };
  EXPECT_TRUE(engine->Submit(request).ok());
  while (tokens < 4 && engine->Step()) {
  }
  const Counts before = Now();
  while (tokens < 4 + steps && engine->Step()) {
  }
  const Counts counts = Since(before);
  EXPECT_EQ(tokens, 4 + steps);
  engine->Cancel(request);
  return counts;
}

// The counters count.
TEST(SteadyState, IsMeasured) {
  const Counts before = Now();
  std::mutex mutex;
  const std::lock_guard lock(mutex);
  EXPECT_EQ(std::getenv("TANDEM_NO_SUCH_VARIABLE"), nullptr);
  const std::vector<int> memory(100);
  const Counts counts = Since(before);
  EXPECT_EQ(counts.locks, 1U);
  EXPECT_EQ(counts.looks_outside, 1U);
  EXPECT_EQ(counts.allocations, memory.empty() ? 0U : 1U);
}

TEST(SteadyState, ADecodeStepAllocatesNothingAndTakesNoLock) {
  for (const gguf::TensorType type :
       {gguf::TensorType::kF32, gguf::TensorType::kBF16, gguf::TensorType::kQ8_0}) {
    EXPECT_EQ(StepsOf(MakeTinyQwen({.type = type}), 50), Counts());
    EXPECT_EQ(StepsOf(MakeTinyPhi({.type = type}), 50), Counts());
  }
  EXPECT_EQ(EngineStepsOf(MakeTinyQwen({}), 20), Counts());
  EXPECT_EQ(EngineStepsOf(MakeTinyPhi({}), 20), Counts());
}

// Under a grammar too, once its states have been met, and while it is watched for loops.
TEST(SteadyState, AStepUnderAGrammarAllocatesNothing) {
  std::vector<std::string> texts;
  std::vector<grammar::TokenTrie::Token> tokens;
  for (int byte = 0; byte < 256; ++byte) {
    texts.emplace_back(1, static_cast<char>(byte));
  }
  for (TokenId id = 0; id < 256; ++id) {
    tokens.push_back({.bytes = texts[static_cast<std::size_t>(id)], .id = id});
  }
  const auto trie = std::make_shared<const grammar::TokenTrie>(std::move(tokens), 256);
  grammar::Matcher matcher(
      grammar::CompileFormat(R"({"type":"array","items":{"type":"object","properties":{
          "a":{"type":"string","maxLength":5},"b":{"type":"integer","minimum":3}},
          "additionalProperties":true}})",
                             "format")
          .value(),
      trie);
  LoopDetector loop;
  std::vector<std::uint64_t> allowed(trie->words());
  Sampler sampler({.temperature = 0.7F, .top_k = 20, .repetition_penalty = 1.1F}, 256, {});
  sampler.Restrict(allowed);
  const std::vector<float> logits(256, 1.0F);
  const std::string text = R"([{"a": "xyz", "b": 14, "c": {"d": [1, true, "é"]}}, {"b": 3},)";
  Counts before;
  for (int round = 0; round < 20; ++round) {
    if (round == 5) {
      before = Now();
    }
    matcher.Start();
    for (const char& c : text) {
      matcher.AllowedTokens(allowed);
      const TokenId token = sampler.Sample(logits, 1).token;
      sampler.Accept(token);
      ASSERT_TRUE(matcher.Accept({&c, 1}));
      ASSERT_FALSE(loop.Push(token + round));
    }
  }
  EXPECT_EQ(Since(before), Counts());
}

}  // namespace
}  // namespace tandem
