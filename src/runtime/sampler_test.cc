#include "runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/rng.h"

namespace tandem {
namespace {

constexpr int kDraws = 4000;
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> RandomLogits(std::size_t count, std::uint64_t seed) {
  std::vector<float> logits;
  for (std::size_t i = 0; i < count; ++i) {
    logits.push_back(static_cast<float>(UniformAt(seed, i) * 12));
  }
  return logits;
}

/// How often each token is drawn over `draws` positions.
std::map<TokenId, int> Draws(Sampler& sampler, std::span<const float> logits, int draws = kDraws) {
  std::map<TokenId, int> counts;
  for (int i = 0; i < draws; ++i) {
    ++counts[sampler.Sample(logits, static_cast<std::uint64_t>(i)).token];
  }
  return counts;
}

std::map<TokenId, int> Draws(const SamplingOptions& options, std::span<const float> logits) {
  Sampler sampler(options, logits.size(), {});
  return Draws(sampler, logits);
}

std::vector<TokenId> Keys(const std::map<TokenId, int>& counts) {
  std::vector<TokenId> keys;
  for (const auto& [id, count] : counts) {
    keys.push_back(id);
  }
  return keys;
}

TokenId Greedy(SamplingOptions options, const std::vector<float>& logits,
               const std::vector<TokenId>& prompt, const std::vector<TokenId>& generated) {
  options.temperature = 0;
  Sampler sampler(std::move(options), logits.size(), {});
  sampler.AcceptPrompt(prompt);
  for (const TokenId id : generated) {
    sampler.Accept(id);
  }
  return sampler.Sample(logits, 0).token;
}

using Ids = std::vector<TokenId>;

TEST(Sampler, TemperatureZeroTakesTheFirstOfTheLargest) {
  for (const std::size_t size : {1U, 2U, 63U, 64U, 65U, 1000U}) {
    std::vector<float> logits(size, -3);
    logits[size / 2] = 5;
    logits[size - 1] = 5;
    EXPECT_EQ(Greedy({}, logits, {}, {}), static_cast<TokenId>(size / 2)) << size;
  }
}

TEST(Sampler, LogprobIsThatOfTheRawDistribution) {
  const std::vector<float> logits = RandomLogits(1000, 3);
  double total = 0;
  for (const float x : logits) {
    total += std::exp(static_cast<double>(x));
  }
  SamplingOptions options{.temperature = 0.5F, .top_k = 7, .presence_penalty = 2};
  options.logit_bias = {{5, 1.0F}};
  Sampler sampler(options, logits.size(), {});
  for (std::uint64_t position = 0; position < 50; ++position) {
    const Sampler::Draw draw = sampler.Sample(logits, position);
    sampler.Accept(draw.token);
    const double expected =
        static_cast<double>(logits[static_cast<std::size_t>(draw.token)]) - std::log(total);
    EXPECT_NEAR(draw.logprob, expected, 2e-6);
  }
}

TEST(Sampler, DrawsFollowTheSoftmaxOfTheTemperature) {
  const std::vector<float> logits = {0, 1, 2, -50};
  for (const float temperature : {0.5F, 1.0F, 2.0F}) {
    double total = 0;
    for (const float x : logits) {
      total += std::exp(static_cast<double>(x / temperature));
    }
    const auto counts = Draws({.temperature = temperature}, logits);
    for (const auto& [id, count] : counts) {
      const double p =
          std::exp(static_cast<double>(logits[static_cast<std::size_t>(id)] / temperature)) / total;
      // Five standard deviations of a binomial count.
      EXPECT_NEAR(count, kDraws * p, 5 * std::sqrt(kDraws * p * (1 - p)) + 1) << id;
    }
  }
}

TEST(Sampler, DrawDependsOnSeedAndPositionAlone) {
  const std::vector<float> logits = RandomLogits(500, 1);
  const SamplingOptions options{.top_k = 20, .seed = 9};
  Sampler forward(options, logits.size(), {});
  Sampler backward(options, logits.size(), {});
  Ids a(64);
  Ids b(64);
  for (std::size_t i = 0; i < 64; ++i) {
    a[i] = forward.Sample(logits, i).token;
    b[63 - i] = backward.Sample(logits, 63 - i).token;
  }
  EXPECT_EQ(a, b);
  Sampler other({.top_k = 20, .seed = 10}, logits.size(), {});
  Ids c(64);
  for (std::size_t i = 0; i < 64; ++i) {
    c[i] = other.Sample(logits, i).token;
  }
  EXPECT_NE(a, c);
}

TEST(Sampler, TopKKeepsTheLargestAndOfEqualOnesTheLowestIds) {
  const std::vector<float> logits = {1, 3, 2, 3, 2, 2, 0};
  EXPECT_EQ(Keys(Draws({.top_k = 1}, logits)), Ids({1}));
  EXPECT_EQ(Keys(Draws({.top_k = 3}, logits)), Ids({1, 2, 3}));
  EXPECT_EQ(Keys(Draws({.top_k = 100}, logits)), Ids({0, 1, 2, 3, 4, 5, 6}));
}

TEST(Sampler, TopKEqualsAFullSortForEverySize) {
  for (const std::size_t top_k : {1U, 20U, 64U, 100U, 299U}) {
    std::vector<float> logits = RandomLogits(300, top_k);
    for (float& x : logits) {
      x = std::round(x);  // many equal ones
    }
    Ids order(logits.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      order[i] = static_cast<TokenId>(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](TokenId a, TokenId b) {
      return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
    });
    order.resize(top_k);
    std::sort(order.begin(), order.end());
    // Hot enough that every token that is kept is drawn.
    Sampler sampler({.temperature = 1000, .top_k = top_k}, logits.size(), {});
    EXPECT_EQ(Keys(Draws(sampler, logits, static_cast<int>(20 * top_k + 100))), order) << top_k;
  }
}

TEST(Sampler, TopPKeepsTheFewestTokensWithThatMass) {
  // Probabilities 0.5, 0.25, 0.125, 0.125.
  const std::vector<float> logits = {std::log(0.125F), std::log(0.5F), std::log(0.125F),
                                     std::log(0.25F)};
  EXPECT_EQ(Keys(Draws({.top_p = 0}, logits)), Ids({1}));
  EXPECT_EQ(Keys(Draws({.top_p = 0.45F}, logits)), Ids({1}));
  EXPECT_EQ(Keys(Draws({.top_p = 0.7F}, logits)), Ids({1, 3}));
  EXPECT_EQ(Keys(Draws({.top_p = 0.8F}, logits)), Ids({0, 1, 3}));
  EXPECT_EQ(Keys(Draws({.top_k = 2, .top_p = 0.6F}, logits)), Ids({1}));  // of what top-k left
}

TEST(Sampler, TopPWithoutTopKEqualsAFullSort) {
  std::vector<float> logits(2000, 0.0F);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    logits[(i * 7) % 2000] = -static_cast<float>(i) * 2.5e-4F;  // falls slowly: a wide nucleus
  }
  Sampler all({.seed = 1}, logits.size(), {});
  Sampler half({.top_p = 0.5F, .seed = 1}, logits.size(), {});
  // Mass up to rank n is (1 - e^(-n/4000)) / (1 - e^(-0.5)): half of it at n = 876.04.
  const auto counts = Draws(half, logits, 1000);
  for (const auto& [id, count] : counts) {
    EXPECT_LE(-logits[static_cast<std::size_t>(id)], 877 * 2.5e-4F) << id;
  }
  EXPECT_GT(counts.size(), 500U);
  EXPECT_GT(Draws(all, logits, 1000).size(), Draws(half, logits, 1000).size());
}

TEST(Sampler, MinPDropsWhatIsFarBelowTheMostProbable) {
  const std::vector<float> logits = {std::log(0.1F), std::log(0.6F), std::log(0.3F)};
  EXPECT_EQ(Keys(Draws({.min_p = 0.1F}, logits)), Ids({0, 1, 2}));
  EXPECT_EQ(Keys(Draws({.min_p = 0.3F}, logits)), Ids({1, 2}));
  EXPECT_EQ(Keys(Draws({.min_p = 1}, logits)), Ids({1}));
}

TEST(Sampler, TypicalPMayDropTheMostProbable) {
  // One token of 0.4 and twelve of 0.05: entropy 2.16 nats, surprise 0.92 and 3.00.
  std::vector<float> logits(13, std::log(0.05F));
  logits[4] = std::log(0.4F);
  const Ids kept = Keys(Draws({.typical_p = 0.19F}, logits));
  EXPECT_EQ(kept.size(), 4U);
  EXPECT_EQ(kept, Ids({0, 1, 2, 3}));
}

TEST(Sampler, RepetitionPenaltyCountsPromptAndGeneratedTokensOnce) {
  const std::vector<float> logits = {4, 3.5F, -1};
  EXPECT_EQ(Greedy({.repetition_penalty = 1.2F}, logits, {0, 0}, {}), 1);
  EXPECT_EQ(Greedy({.repetition_penalty = 1.2F}, logits, {}, {0}), 1);
  EXPECT_EQ(Greedy({.repetition_penalty = 1.1F}, logits, {0, 0, 0}, {0, 0}), 0);
  const std::vector<float> negative = {-1, -1.5F};
  EXPECT_EQ(Greedy({.repetition_penalty = 2}, negative, {0}, {}), 1);
}

TEST(Sampler, PresenceAndFrequencyPenaltiesCountGeneratedTokensOnly) {
  const std::vector<float> logits = {4, 3.5F};
  EXPECT_EQ(Greedy({.presence_penalty = 1}, logits, {0}, {}), 0);
  EXPECT_EQ(Greedy({.presence_penalty = 1}, logits, {}, {0}), 1);
  EXPECT_EQ(Greedy({.presence_penalty = 0.4F}, logits, {}, {0, 0, 0}), 0);  // once only
  EXPECT_EQ(Greedy({.frequency_penalty = 0.4F}, logits, {0, 0, 0}, {0}), 0);
  EXPECT_EQ(Greedy({.frequency_penalty = 0.4F}, logits, {}, {0, 0}), 1);
  EXPECT_EQ(Greedy({.presence_penalty = -1}, logits, {}, {1}), 1);  // negative ones attract
}

TEST(Sampler, LogitBiasAddsAndForbids) {
  const std::vector<float> logits = {4, 3.5F, 0};
  SamplingOptions options;
  options.logit_bias = {{0, -kInf}, {2, 5.0F}};
  EXPECT_EQ(Greedy(options, logits, {}, {}), 2);
  options.logit_bias = {{0, -kInf}, {7, 100.0F}};  // no such row
  EXPECT_EQ(Greedy(options, logits, {}, {}), 1);
}

TEST(Sampler, BannedRowsAreNeverDrawn) {
  std::vector<float> logits(200, 0);
  logits[0] = logits[63] = logits[64] = logits[150] = logits[199] = 30;
  const Ids banned = {0, 64, 64, -1, 500};
  for (const std::size_t top_k : {0U, 2U}) {
    Sampler sampler({.top_k = top_k}, logits.size(), banned);
    sampler.BanFrom(150);
    EXPECT_EQ(Keys(Draws(sampler, logits, 200)).front(), 63);
    Sampler greedy({.temperature = 0}, logits.size(), banned);
    EXPECT_EQ(greedy.Sample(logits, 0).token, 63);
  }
}

TEST(Sampler, NanNeverWinsAndInfinityDoes) {
  const std::vector<float> logits = {kNan, 1, kNan, 2, -kInf};
  EXPECT_EQ(Greedy({}, logits, {}, {}), 3);
  EXPECT_EQ(Keys(Draws({}, logits)), Ids({1, 3}));
  EXPECT_EQ(Keys(Draws({.top_k = 4, .top_p = 0.99F, .typical_p = 0.99F}, logits)), Ids({1, 3}));
  const std::vector<float> infinite = {0, kInf, 5, kInf};
  EXPECT_EQ(Keys(Draws({}, infinite)), Ids({1, 3}));
  Sampler sampler({.temperature = 0, .repetition_penalty = 0.5F}, infinite.size(), {});
  sampler.Accept(3);
  const Sampler::Draw draw = sampler.Sample(infinite, 0);
  EXPECT_EQ(draw.token, 1);
  EXPECT_NEAR(draw.logprob, std::log(0.5F), 1e-6);
}

TEST(Sampler, NothingLeftGivesTheLowestAllowedId) {
  const std::vector<float> logits = {-kInf, kNan, -kInf};
  const Ids banned = {0};
  for (const float temperature : {0.0F, 1.0F}) {
    Sampler sampler({.temperature = temperature}, logits.size(), banned);
    EXPECT_EQ(sampler.Sample(logits, 0).token, 1);
    EXPECT_EQ(sampler.Sample(logits, 0).logprob, -kInf);
    const Ids all = {0, 1, 2};
    Sampler none({.temperature = temperature}, logits.size(), all);
    EXPECT_EQ(none.Sample(logits, 0).token, 0);
  }
}

std::vector<std::uint64_t> SetOf(const std::vector<TokenId>& ids, std::size_t vocabulary) {
  std::vector<std::uint64_t> words((vocabulary + 63) / 64);
  for (const TokenId id : ids) {
    words[static_cast<std::size_t>(id) / 64] |= std::uint64_t{1} << (id % 64);
  }
  return words;
}

TEST(Sampler, ARestrictionComesBeforeTheFilters) {
  const std::vector<float> logits = RandomLogits(1000, 3);
  const std::vector<TokenId> few = {1, 64, 500, 777, 999};
  const std::vector<std::uint64_t> allowed = SetOf(few, logits.size());
  for (const std::size_t top_k : {std::size_t{0}, std::size_t{3}, std::size_t{40}}) {
    Sampler sampler({.temperature = 50, .top_k = top_k}, logits.size(), {});
    sampler.Restrict(allowed);
    std::vector<TokenId> drawn = Keys(Draws(sampler, logits));
    EXPECT_EQ(drawn.size(), top_k == 3 ? 3U : few.size());
    for (const TokenId id : drawn) {
      EXPECT_NE(std::find(few.begin(), few.end(), id), few.end()) << id;
    }
    sampler.Restrict({});
    EXPECT_GT(Keys(Draws(sampler, logits)).size(), few.size() - 3);
  }
}

TEST(Sampler, ARestrictedDrawIsThatOfTheAllowedLogitsAlone) {
  const std::vector<float> logits = RandomLogits(300, 4);
  std::vector<TokenId> some;
  std::vector<float> alone(logits.size(), -kInf);
  for (TokenId id = 0; id < 300; id += 7) {
    some.push_back(id);
    alone[static_cast<std::size_t>(id)] = logits[static_cast<std::size_t>(id)];
  }
  const std::vector<std::uint64_t> allowed = SetOf(some, logits.size());
  const SamplingOptions options{.temperature = 2,
                                .top_k = 20,
                                .top_p = 0.9F,
                                .min_p = 0.01F,
                                .repetition_penalty = 1.3F,
                                .presence_penalty = 0.5F,
                                .seed = 9};
  Sampler restricted(options, logits.size(), {});
  Sampler plain(options, logits.size(), {});
  restricted.Restrict(allowed);
  for (std::uint64_t i = 0; i < 300; ++i) {
    const TokenId token = restricted.Sample(logits, i).token;
    EXPECT_EQ(token, plain.Sample(alone, i).token);
    restricted.Accept(token);
    plain.Accept(token);
  }
}

TEST(Sampler, NothingLeftStaysWithinTheRestriction) {
  std::vector<float> logits(200, 1.0F);
  logits[70] = -kInf;
  logits[71] = kNan;
  const std::vector<std::uint64_t> allowed = SetOf({70, 71, 72}, logits.size());
  const std::vector<TokenId> banned = {70, 72};
  Sampler sampler({.temperature = 0}, logits.size(), banned);
  sampler.Restrict(allowed);
  EXPECT_EQ(sampler.Sample(logits, 0).token, 71);
}

TEST(Sampler, TinyTemperatureIsAlmostGreedy) {
  const std::vector<float> logits = {1, 1.5F, 1.25F};
  EXPECT_EQ(Keys(Draws({.temperature = 1e-40F}, logits)), Ids({1}));
}

TEST(SamplingOptions, ErrorNamesFieldValueAndLimit) {
  const auto message = [](const SamplingOptions& options) {
    return Validate(options, 100).message();
  };
  EXPECT_EQ(message({}), "");
  EXPECT_EQ(message({.temperature = -0.5F}),
            "temperature is -0.5, but must be a finite number of at least 0");
  EXPECT_EQ(message({.temperature = kNan}),
            "temperature is nan, but must be a finite number of at least 0");
  EXPECT_EQ(message({.top_p = 1.5F}), "top_p is 1.5, but must be from 0 to 1");
  EXPECT_EQ(message({.min_p = kNan}), "min_p is nan, but must be from 0 to 1");
  EXPECT_EQ(message({.typical_p = -1}), "typical_p is -1, but must be from 0 to 1");
  EXPECT_EQ(message({.repetition_penalty = 0}),
            "repetition_penalty is 0, but must be finite and above 0");
  EXPECT_EQ(message({.presence_penalty = kInf}), "presence_penalty is inf, but must be finite");
  EXPECT_EQ(message({.frequency_penalty = kNan}), "frequency_penalty is nan, but must be finite");
  SamplingOptions options;
  options.logit_bias = {{100, 1.0F}};
  EXPECT_EQ(message(options), "logit_bias names token 100, but ids go from 0 to 99");
  options.logit_bias = {{5, kInf}};
  EXPECT_EQ(message(options), "logit_bias of token 5 is inf, but must be finite or -inf");
}

}  // namespace
}  // namespace tandem
