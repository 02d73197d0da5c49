// A decode step allocates nothing: the forward pass and the sampler, once they are warm.

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "grammar/format.h"
#include "grammar/matcher.h"
#include "runtime/engine.h"
#include "runtime/loop_detector.h"
#include "tests/support/tiny_model.h"

namespace {

// Operator new has no other place for it.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): see above.
std::atomic<std::size_t> allocations{0};

void* Allocate(std::size_t size, std::size_t alignment) {
  ++allocations;
  // NOLINTNEXTLINE(cppcoreguidelines-no-malloc): this is operator new
  void* memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) {
    std::abort();
  }
  return memory;
}

}  // namespace

void* operator new(std::size_t size) {
  return Allocate(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, std::align_val_t alignment,
                   const std::nothrow_t& /*tag*/) noexcept {
  return Allocate(size, static_cast<std::size_t>(alignment));
}
// NOLINTBEGIN(cppcoreguidelines-no-malloc): these are operator delete
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}
// NOLINTEND(cppcoreguidelines-no-malloc)

namespace tandem {
namespace {

// Allocations of `steps` decode steps that stay within one page of the cache.
std::size_t AllocationsOf(const TinyModel& model, std::size_t steps) {
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
  std::size_t before = 0;
  for (std::size_t i = 0; i < 4 + steps; ++i) {
    if (i == 4) {
      before = allocations;
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
  return allocations - before;
}

TEST(SteadyState, ADecodeStepAllocatesNothing) {
  for (const gguf::TensorType type :
       {gguf::TensorType::kF32, gguf::TensorType::kBF16, gguf::TensorType::kQ8_0}) {
    EXPECT_EQ(AllocationsOf(MakeTinyQwen({.type = type}), 50), 0U);
    EXPECT_EQ(AllocationsOf(MakeTinyPhi({.type = type}), 50), 0U);
  }
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
  std::size_t before = 0;
  for (int round = 0; round < 20; ++round) {
    if (round == 5) {
      before = allocations;
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
  EXPECT_EQ(allocations - before, 0U);
}

}  // namespace
}  // namespace tandem
