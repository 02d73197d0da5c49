#include "check/text_check.h"

#include <cmath>

#include <gtest/gtest.h>

#include "runtime/engine.h"
#include "store/builtin.h"

namespace tandem {
namespace {

TEST(CheckData, HasTextQuestionsAndIdsOfBothFamilies) {
  const CheckData data = CheckData::BuiltIn().value();
  EXPECT_GT(data.text.size(), 500U);
  EXPECT_EQ(data.prompts.size(), 20U);
  for (const SanityPrompt& prompt : data.prompts) {
    EXPECT_FALSE(prompt.prompt.empty());
    EXPECT_FALSE(prompt.words.empty()) << prompt.prompt;
  }
  ASSERT_EQ(data.ids.size(), 2U);
  for (const IdVectors& vectors : data.ids) {
    EXPECT_GT(vectors.vocabulary, 200'000U);
    EXPECT_GT(vectors.vectors.size(), 10U);
    for (const IdVector& vector : vectors.vectors) {
      ASSERT_FALSE(vector.ids.empty()) << vector.text;
      for (const TokenId id : vector.ids) {
        EXPECT_LT(static_cast<std::size_t>(id), vectors.vocabulary);
      }
    }
  }
}

TEST(FindLoop, FindsWhatRepeatsAtTheEnd) {
  std::string loop = "It is said. ";
  for (int i = 0; i < 8; ++i) {
    loop += "and so on, ";
  }
  EXPECT_EQ(FindLoop(loop), "and so on, ");
  EXPECT_TRUE(FindLoop(std::string(80, '!')).has_value());
  EXPECT_FALSE(FindLoop("ha ha ha ha").has_value());  // short ones are speech
  EXPECT_FALSE(
      FindLoop("A sentence that says something, and another one that does too.").has_value());
  EXPECT_FALSE(FindLoop("").has_value());
}

TEST(HasExpectedWord, TakesWholeWordsInAnyCase) {
  const SanityPrompt prompt{.prompt = "", .words = {"paris", "42"}};
  EXPECT_TRUE(HasExpectedWord("It is PARIS.", prompt));
  EXPECT_TRUE(HasExpectedWord("**42**", prompt));
  EXPECT_FALSE(HasExpectedWord("parisian", prompt));
  EXPECT_FALSE(HasExpectedWord("142", prompt));
  EXPECT_FALSE(HasExpectedWord("", prompt));
}

class DemoTextCheck : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (BuiltinModelNames().empty()) {
      GTEST_SKIP() << "this build holds no demo models";
    }
    opened_ = OpenedModel::Load(GetParam(), {.context_tokens = 1024, .threads = 1}).value();
  }

  OpenedModel opened_;
};

// The definition, written down a second time: token by token, with plain sums.
TEST_P(DemoTextCheck, PerplexityIsThatOfTheLogits) {
  const std::string text = "What is 27 + 45?";
  const std::vector<TokenId> ids = opened_.loaded->tokenizer().EncodePlain(text);
  ASSERT_GT(ids.size(), 3U);
  const auto engine = Engine::Create(opened_.loaded->network(), opened_.engine).value();
  Sequence sequence = engine->NewSequence();
  double product = 1;
  for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
    Request request;
    request.sequence = &sequence;
    request.prompt = {ids[i]};
    request.logit_rows = {0};
    request.on_logits = [&](std::size_t, std::span<const float> logits) {
      double sum = 0;
      for (const float logit : logits) {
        sum += std::exp(static_cast<double>(logit));
      }
      product *= std::exp(static_cast<double>(logits[static_cast<std::size_t>(ids[i + 1])])) / sum;
    };
    ASSERT_TRUE(engine->Run(request).ok());
  }
  const double expected = std::pow(product, -1.0 / static_cast<double>(ids.size() - 1));
  // A prompt in one piece and token by token give the same bits (docs/architecture.md).
  EXPECT_NEAR(Perplexity(opened_, text).value(), expected, 1e-9 * expected);
  EXPECT_EQ(Perplexity(opened_, "").status().code(), StatusCode::kInvalidArgument);
}

TEST_P(DemoTextCheck, JudgesNoToy) {
  CheckReport report;
  const CheckData data = CheckData::BuiltIn().value();
  CheckIds(*opened_.loaded, data, report);
  CheckPerplexity(opened_, data, report);
  ASSERT_EQ(report.items().size(), 2U);
  for (const CheckItem& item : report.items()) {
    EXPECT_EQ(item.verdict, CheckItem::Verdict::kNote) << item.text;
  }
}

TEST_P(DemoTextCheck, ComparesIdsWithThoseThatAreKnown) {
  CheckData data;
  const text::Tokenizer& tokenizer = opened_.loaded->tokenizer();
  IdVectors vectors{
      .architecture = opened_.loaded->network().info().architecture,
      .vocabulary = tokenizer.size(),
      .vectors = {{.text = "Hello", .special = false, .ids = tokenizer.EncodePlain("Hello")}}};
  data.ids.push_back(vectors);
  CheckReport right;
  CheckIds(*opened_.loaded, data, right);
  EXPECT_TRUE(right.ok());
  EXPECT_EQ(right.items()[0].verdict, CheckItem::Verdict::kOk);
  data.ids[0].vectors[0].ids.push_back(0);
  CheckReport wrong;
  CheckIds(*opened_.loaded, data, wrong);
  EXPECT_FALSE(wrong.ok());
  EXPECT_NE(wrong.items()[0].text.find("1 of 1 texts differ; 'Hello' gives"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Models, DemoTextCheck, testing::Values("qwen3.5:demo", "phi4-mini:demo"));

}  // namespace
}  // namespace tandem
