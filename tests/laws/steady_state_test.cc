// A decode step allocates nothing: the forward pass and the sampler, once they are warm.

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/engine.h"
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

}  // namespace
}  // namespace tandem
