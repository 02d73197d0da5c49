#include "compare/opened_model.h"

#include <gtest/gtest.h>

#include "store/builtin.h"

namespace tandem {
namespace {

constexpr std::uint64_t kMega = 1'000'000;

class OpenedModelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (BuiltinModelNames().empty()) {
      GTEST_SKIP() << "this build holds no demo models";
    }
  }

  static OpenedModel Load(std::size_t context) {
    return OpenedModel::Load("phi4-mini:demo", {.context_tokens = context, .threads = 1}).value();
  }
};

TEST_F(OpenedModelTest, RefusesAContextThatDoesNotFitWithTheNumbers) {
  OpenedModel opened = Load(131'072);
  const Status status = opened.FitContext(60 * kMega);
  EXPECT_EQ(status.code(), StatusCode::kOutOfMemory);
  for (const char* part : {"a context of 131072 tokens needs", "weights 5.34 MB", "cache", "state",
                           "working memory", "program", "but 60.0 MB are available"}) {
    EXPECT_NE(status.message().find(part), std::string::npos) << part << ": " << status.message();
  }
  EXPECT_EQ(Load(0).FitContext(10 * kMega).code(), StatusCode::kOutOfMemory);
}

TEST_F(OpenedModelTest, LowersTheDefaultContextToWhatFitsAndSaysSo) {
  OpenedModel opened = Load(0);
  const std::uint64_t available = opened.Need(20'000).total();
  ASSERT_TRUE(opened.FitContext(available).ok());
  EXPECT_LE(opened.engine.context_tokens, 20'032U);
  EXPECT_GT(opened.engine.context_tokens, 19'500U);
  ASSERT_EQ(opened.notes.size(), 1U);
  EXPECT_NE(opened.notes[0].find("context lowered from 131072 to"), std::string::npos);
}

TEST_F(OpenedModelTest, KeepsAContextThatFits) {
  OpenedModel opened = Load(1000);
  ASSERT_TRUE(opened.FitContext(1000 * kMega).ok());
  EXPECT_EQ(opened.engine.context_tokens, 1000U);
  EXPECT_TRUE(opened.notes.empty());
}

}  // namespace
}  // namespace tandem
