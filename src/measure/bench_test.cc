#include "measure/bench.h"

#include <gtest/gtest.h>

#include "measure/limits.h"
#include "measure/random_state.h"
#include "store/builtin.h"

namespace tandem {
namespace {

class BenchTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (BuiltinModelNames().empty()) {
      GTEST_SKIP() << "built without the demo models";
    }
    auto file = OpenModelFile(GetParam());
    ASSERT_TRUE(file.ok()) << file.status().message();
    file_ = std::move(file).value();
    auto network = LoadNetwork(*file_);
    ASSERT_TRUE(network.ok()) << network.status().message();
    network_ = std::move(network).value();
  }

  Result<std::vector<BenchResult>> Run(const BenchOptions& options) {
    return RunBench(*network_, options, [](std::string_view) {});
  }

  std::unique_ptr<gguf::ModelFile> file_;
  std::unique_ptr<Network> network_;
};

TEST_P(BenchTest, RunsEveryCombination) {
  const auto results = Run({.prefill_tokens = 16,
                            .decode_tokens = 2,
                            .depths = {0, 100},
                            .batches = {1, 3},
                            .draft_tokens = 2,
                            .threads = {1, 2},
                            .repeats = 2,
                            .profile = true});
  ASSERT_TRUE(results.ok()) << results.status().message();
  ASSERT_EQ(results->size(), 2 * 2 * (1 + 2 + 1));
  for (const BenchResult& result : *results) {
    EXPECT_GT(result.tokens_per_second.median, 0);
    EXPECT_LE(result.tokens_per_second.min, result.tokens_per_second.median);
    EXPECT_GE(result.tokens_per_second.max, result.tokens_per_second.median);
    EXPECT_FALSE(result.profile.empty());
  }
}

TEST_P(BenchTest, TimesTheFirstToken) {
  const auto first = MeasureFirstToken(*network_, {.threads = {2}});
  ASSERT_TRUE(first.ok()) << first.status().message();
  EXPECT_EQ(first->prompt_tokens, 20U);
  EXPECT_GT(first->prefill_seconds, 0);
  EXPECT_GT(first->seconds, 0);
  EXPECT_FALSE(MeasureFirstToken(*network_, {.threads = {1}, .isa = "none"}).ok());
}

// A decode step reads every weight once, whatever the batch; a deeper one reads more cache.
TEST_P(BenchTest, CountsTheBytesThatMove) {
  const auto results = Run({.prefill_tokens = 0,
                            .decode_tokens = 1,
                            .depths = {0, 128},
                            .batches = {1, 2},
                            .threads = {1},
                            .repeats = 1});
  ASSERT_TRUE(results.ok()) << results.status().message();
  const ModelInfo& info = network_->info();
  const double cache = static_cast<double>(info.kv_layers * 2 * info.kv_heads *
                                           KvRowBytes(KvType::kF16, info.head_dim));
  EXPECT_DOUBLE_EQ((*results)[2].bytes - (*results)[0].bytes, 128 * cache);
  EXPECT_LT((*results)[1].bytes, 1.5 * (*results)[0].bytes);
  EXPECT_GT((*results)[0].bytes, 0.8 * static_cast<double>(file_->file_bytes() / 2));
}

TEST_P(BenchTest, RefusesADepthPastTheLimit) {
  const auto results =
      Run({.depths = {network_->info().context_length}, .threads = {1}, .repeats = 1});
  ASSERT_FALSE(results.ok());
  EXPECT_EQ(results.status().code(), StatusCode::kInvalidArgument);
}

TEST_P(BenchTest, RandomStatesRepeat) {
  auto ops = MakeCpuOps({.max_cols = network_->info().widest_input});
  ASSERT_TRUE(ops.ok());
  KvPool pool(network_->kv_layout(KvType::kF16));
  const std::size_t floats = network_->info().recurrent_floats;
  SequenceState a(pool, floats);
  SequenceState b(pool, floats);
  ASSERT_TRUE(FillRandomState(*network_, **ops, 70, 5, a).ok());
  ASSERT_TRUE(FillRandomState(*network_, **ops, 70, 5, b).ok());
  EXPECT_EQ(a.length(), 70);
  EXPECT_TRUE(std::equal(a.recurrent(), a.recurrent() + floats, b.recurrent()));
  EXPECT_EQ(*a.kv().pages()[1], *b.kv().pages()[1]);
}

INSTANTIATE_TEST_SUITE_P(Demo, BenchTest, testing::Values("qwen3.5:demo", "phi4-mini:demo"),
                         [](const auto& test) {
                           return std::string(test.index == 0 ? "Qwen" : "Phi");
                         });

TEST(Limits, AreMeasured) {
  const auto limits = MeasureLimits("auto", 1);
  ASSERT_TRUE(limits.ok()) << limits.status().message();
  EXPECT_GT(limits->read_bytes_per_second, 1e8);
  EXPECT_GT(limits->int8_ops_per_second, 1e8);
  EXPECT_FALSE(MeasureLimits("nonsense", 1).ok());
}

}  // namespace
}  // namespace tandem
