#include "measure/text_loss.h"

#include <cmath>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "store/builtin.h"

namespace tandem {
namespace {

class TextLossTest : public testing::Test {
 protected:
  void SetUp() override {
    if (BuiltinModelNames().empty()) {
      GTEST_SKIP() << "built without the demo models";
    }
    auto file = OpenModelFile("phi4-mini:demo");
    ASSERT_TRUE(file.ok()) << file.status().message();
    file_ = std::move(file).value();
    auto network = LoadNetwork(*file_);
    ASSERT_TRUE(network.ok()) << network.status().message();
    network_ = std::move(network).value();
    for (std::size_t i = 0; i < 100; ++i) {
      text_.push_back(static_cast<TokenId>((i * 37 + i * i * 11) % network_->info().vocabulary));
    }
    options_.window = 32;
    options_.windows_together = 2;
    journal_ =
        std::filesystem::path(testing::TempDir()) /
        (std::string("journal_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove(journal_);
  }
  void TearDown() override { std::filesystem::remove(journal_); }

  std::unique_ptr<gguf::ModelFile> file_;
  std::unique_ptr<Network> network_;
  std::vector<TokenId> text_;
  TextLossOptions options_;
  std::filesystem::path journal_;
};

// Against the definition, one token after the other in a session of its own.
TEST_F(TextLossTest, IsTheMeanLogLossOfTheSecondHalves) {
  const auto loss = MeasurePerplexity(*network_, text_, options_);
  ASSERT_TRUE(loss.ok()) << loss.status().message();
  EXPECT_EQ(loss->tokens, 100);
  EXPECT_EQ(loss->scored, 3 * 15);
  auto engine = Engine::Create(*network_, options_.engine);
  ASSERT_TRUE(engine.ok());
  double sum = 0;
  for (std::size_t window = 0; window < 3; ++window) {
    Sequence sequence = (*engine)->NewSequence();
    for (std::size_t i = 0; i + 1 < 32; ++i) {
      Request request;
      request.sequence = &sequence;
      request.prompt = {text_[window * 32 + i]};
      request.logit_rows = {0};
      request.on_logits = [&](std::size_t, std::span<const float> logits) {
        if (i < 16) {
          return;
        }
        double total = 0;
        for (const float logit : logits) {
          total += std::exp(static_cast<double>(logit));
        }
        const TokenId next = text_[window * 32 + i + 1];
        sum += std::log(total) - static_cast<double>(logits[static_cast<std::size_t>(next)]);
      };
      ASSERT_TRUE((*engine)->Run(request).ok());
    }
  }
  EXPECT_NEAR(loss->nll.mean, sum / 45, 1e-4);
  EXPECT_NEAR(loss->perplexity.mean, std::exp(loss->nll.mean), 1e-9);
  EXPECT_GT(loss->nll.error, 0);
}

TEST_F(TextLossTest, AModelDoesNotDivergeFromItself) {
  const auto result = MeasureDivergence(*network_, *network_, text_, options_);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->kl.mean, 0);
  EXPECT_EQ(result->kl_max, 0);
  EXPECT_EQ(result->same_top.mean, 1);
  EXPECT_EQ(result->base.nll.mean, result->model.nll.mean);
}

TEST_F(TextLossTest, ASmallerCacheDivergesFromALargerOne) {
  options_.base_kv = KvType::kF32;
  options_.engine.kv = KvType::kQ4_0;
  const auto result = MeasureDivergence(*network_, *network_, text_, options_);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_GT(result->kl.mean, 0);
  options_.base_kv.reset();
  const auto same = MeasureDivergence(*network_, *network_, text_, options_);
  ASSERT_TRUE(same.ok()) << same.status().message();
  EXPECT_EQ(same->kl.mean, 0);
  EXPECT_EQ(same->base.nll.mean, result->model.nll.mean);
}

// What the journal has is taken from it: a doctored window shows in the result.
TEST_F(TextLossTest, GoesOnWhereAJournalEnds) {
  options_.journal = journal_;
  options_.journal_key = "demo";
  const auto whole = MeasurePerplexity(*network_, text_, options_);
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  std::vector<std::string> lines;
  {
    std::ifstream file(journal_);
    for (std::string line; std::getline(file, line);) {
      lines.push_back(line);
    }
  }
  ASSERT_EQ(lines.size(), 4);
  {
    std::ofstream file(journal_);
    file << lines[0] << "\n" << lines[2] << "\n" << lines[1].substr(0, lines[1].size() / 2);
  }
  std::size_t first_done = 99;
  options_.progress = [&](std::size_t done, std::size_t) {
    first_done = std::min(first_done, done);
  };
  const auto resumed = MeasurePerplexity(*network_, text_, options_);
  ASSERT_TRUE(resumed.ok()) << resumed.status().message();
  EXPECT_EQ(first_done, 1);
  EXPECT_DOUBLE_EQ(resumed->nll.mean, whole->nll.mean);
  options_.window = 16;
  EXPECT_EQ(MeasurePerplexity(*network_, text_, options_).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(TextLossTest, PartsAreReadAloneAndScoredWhole) {
  options_.parts = {40, 2, 58};
  const auto loss = MeasurePerplexity(*network_, text_, options_);
  ASSERT_TRUE(loss.ok()) << loss.status().message();
  EXPECT_EQ(loss->scored, 39 + 1 + 57);
  double sum = 0;
  std::size_t begin = 0;
  for (const std::size_t tokens : std::vector<std::size_t>(options_.parts)) {
    options_.parts = {tokens};
    const auto part = std::span<const TokenId>(text_).subspan(begin, tokens);
    const auto alone = MeasurePerplexity(*network_, part, options_);
    ASSERT_TRUE(alone.ok()) << alone.status().message();
    sum += alone->nll.mean * static_cast<double>(tokens - 1);
    begin += tokens;
  }
  EXPECT_NEAR(loss->nll.mean, sum / 97, 1e-12);
}

TEST_F(TextLossTest, PartsDivergeLikeWindows) {
  options_.base_kv = KvType::kF32;
  options_.engine.kv = KvType::kQ4_0;
  options_.parts = {33, 5, 62};
  const auto result = MeasureDivergence(*network_, *network_, text_, options_);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->base.scored, 97);
  EXPECT_GT(result->kl.mean, 0);
}

TEST_F(TextLossTest, RefusesAPartThatPredictsNothing) {
  options_.parts = {50, 1, 49};
  const auto loss = MeasurePerplexity(*network_, text_, options_);
  EXPECT_EQ(loss.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(loss.status().message().find("text 2 has 1 tokens"), std::string::npos)
      << loss.status().message();
}

// A journal of other parts of the same tokens is another measurement's.
TEST_F(TextLossTest, AJournalKnowsItsParts) {
  options_.journal = journal_;
  options_.parts = {50, 50};
  ASSERT_TRUE(MeasurePerplexity(*network_, text_, options_).ok());
  options_.parts = {40, 60};
  EXPECT_EQ(MeasurePerplexity(*network_, text_, options_).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(TextLossTest, RefusesAShortText) {
  text_.resize(20);
  EXPECT_EQ(MeasurePerplexity(*network_, text_, options_).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tandem
