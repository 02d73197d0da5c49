#include "plan/memory.h"

#include <vector>

#include <gtest/gtest.h>

namespace tandem {
namespace {

// Shapes of Qwen3.5-4B (models.md 1.1).
ModelInfo Qwen4B() {
  return {.architecture = "qwen35",
          .layers = 32,
          .width = 2560,
          .vocabulary = 248320,
          .context_length = 262144,
          .kv_layers = 8,
          .kv_heads = 4,
          .head_dim = 256,
          .recurrent_floats = 52690944 / 4,
          .widest_input = 9216,
          .scratch_floats_per_row = 32320};
}

TEST(PlanMemory, CacheOfQwen4BIsThatOfTheFactSheet) {
  const MemoryNeed need = PlanMemory(Qwen4B(), {.context_tokens = 32768, .kv = KvType::kF16});
  EXPECT_EQ(need.cache, std::uint64_t{1024} << 20);
  EXPECT_EQ(PlanMemory(Qwen4B(), {.context_tokens = 32768, .kv = KvType::kQ8_0}).cache,
            std::uint64_t{544} << 20);
}

TEST(LargestContext, FitsAndTheNextOneDoesNot) {
  MemoryRequest request{.file_bytes = 2'700'000'000};
  const std::uint64_t available = 4'000'000'000;
  const std::size_t context = LargestContext(Qwen4B(), request, available);
  ASSERT_GT(context, 0U);
  request.context_tokens = context;
  EXPECT_LE(PlanMemory(Qwen4B(), request).total(), available);
  request.context_tokens = context + 256;
  EXPECT_GT(PlanMemory(Qwen4B(), request).total(), available);
}

TEST(LargestContext, IsTheModelsLimitWhenMemoryIsPlenty) {
  EXPECT_EQ(LargestContext(Qwen4B(), {}, std::uint64_t{1} << 40), 262144U);
}

TEST(LargestContext, IsZeroWhenTheWeightsAloneAreTooLarge) {
  EXPECT_EQ(LargestContext(Qwen4B(), {.file_bytes = 2'700'000'000}, 1'000'000'000), 0U);
}

TEST(PlanMemory, CountsVision) {
  MemoryRequest request{.file_bytes = 2'700'000'000, .context_tokens = 4096};
  const std::uint64_t blind = PlanMemory(Qwen4B(), request).total();
  request.vision_bytes = 700'000'000;
  EXPECT_EQ(PlanMemory(Qwen4B(), request).total(), blind + 700'000'000);
}

TEST(PlanMemory, CountsEveryConversationAndTheWeightsOnce) {
  MemoryRequest request{.file_bytes = 2'700'000'000, .context_tokens = 4096};
  const MemoryNeed one = PlanMemory(Qwen4B(), request);
  request.conversations = 3;
  const MemoryNeed three = PlanMemory(Qwen4B(), request);
  EXPECT_EQ(three.weights, one.weights);
  EXPECT_EQ(three.cache, 3 * one.cache);
  EXPECT_EQ(three.state, 3 * one.state);
}

TEST(TogetherBytes, CountsTheProgramOnce) {
  const MemoryNeed need = PlanMemory(Qwen4B(), {.context_tokens = 4096});
  const std::vector<MemoryNeed> needs = {need, need};
  EXPECT_EQ(TogetherBytes(std::span(needs).first(1)), need.total());
  EXPECT_LT(TogetherBytes(needs), 2 * need.total());
  EXPECT_GT(TogetherBytes(needs), 2 * need.total() - need.program);
  EXPECT_EQ(TogetherBytes({}), 0U);
}

TEST(ReadMachineMemory, IsNotMoreThanThereIs) {
  const MachineMemory memory = ReadMachineMemory();
  EXPECT_GT(memory.total, 0U);
  EXPECT_LE(memory.available, memory.total);
}

TEST(AvailableMemory, IsSomething) {
  EXPECT_GT(AvailableMemory(), std::uint64_t{1} << 20);
}

}  // namespace
}  // namespace tandem
