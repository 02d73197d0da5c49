#include "plan/fit.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

// Shapes of Phi-4-mini (models.md 1.4).
ModelInfo Phi() {
  return {.architecture = "phi3",
          .layers = 32,
          .width = 3072,
          .vocabulary = 200064,
          .context_length = 131072,
          .kv_layers = 32,
          .kv_heads = 8,
          .head_dim = 128,
          .recurrent_floats = 0,
          .widest_input = 8192,
          .scratch_floats_per_row = 25600};
}

TEST(FitTable, EndsAtTheModelsLimit) {
  const std::vector<FitRow> rows = FitTable(Phi(), {.file_bytes = 2'491'874'272});
  ASSERT_EQ(rows.size(), 6U);
  EXPECT_EQ(rows.front().context_tokens, 4096U);
  EXPECT_EQ(rows.front().need.cache, std::uint64_t{512} << 20);  // the fact sheet's table
  EXPECT_EQ(rows[3].need.cache, std::uint64_t{4096} << 20);
  EXPECT_EQ(rows.back().context_tokens, 131072U);
  EXPECT_EQ(rows.back().need.cache, std::uint64_t{16384} << 20);
  ModelInfo small = Phi();
  small.context_length = 100;
  EXPECT_EQ(FitTable(small, {}).size(), 1U);
}

TEST(FitTable, GoesOnToAPublishedLimit) {
  ModelInfo qwen = Phi();
  qwen.context_length = 262144;
  const std::vector<FitRow> rows = FitTable(qwen, {}, 1'010'000);
  ASSERT_EQ(rows.size(), 9U);
  EXPECT_EQ(rows[6].context_tokens, 262144U);
  EXPECT_EQ(rows[7].context_tokens, 524288U);
  EXPECT_EQ(rows[8].context_tokens, 1'010'000U);
}

TEST(BestQuant, TakesTheMostBitsThatFit) {
  constexpr std::uint64_t kParameters = 3'836'021'760;
  const MemoryRequest request{.context_tokens = 4096};
  EXPECT_EQ(BestQuant(Phi(), kParameters, request, 16'000'000'000)->name, "BF16");
  EXPECT_EQ(BestQuant(Phi(), kParameters, request, 4'000'000'000)->name, "Q6_K");
  EXPECT_FALSE(BestQuant(Phi(), kParameters, request, 1'000'000'000).has_value());
}

TEST(ParseTokens, ReadsUnits) {
  EXPECT_EQ(ParseTokens("128k"), 131072U);
  EXPECT_EQ(ParseTokens("1M"), 1048576U);
  EXPECT_EQ(ParseTokens("4096"), 4096U);
  for (const char* bad : {"", "k", "-1", "4x", "99999999999999999999", "18446744073709551615k"}) {
    EXPECT_FALSE(ParseTokens(bad).has_value()) << bad;
  }
}

TEST(ParseBytes, ReadsUnits) {
  EXPECT_EQ(ParseBytes("8g"), 8'000'000'000U);
  EXPECT_EQ(ParseBytes("8GiB"), std::uint64_t{8} << 30);
  EXPECT_EQ(ParseBytes("512mb"), 512'000'000U);
  EXPECT_FALSE(ParseBytes("8 g").has_value());
}

}  // namespace
}  // namespace tandem
