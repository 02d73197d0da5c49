#include "runtime/loop_detector.h"

#include <vector>

#include <gtest/gtest.h>

#include "base/rng.h"

namespace tandem {
namespace {

// The number of tokens after which it fires; 0: never.
std::size_t FiresAt(const std::vector<TokenId>& tokens) {
  LoopDetector detector;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (detector.Push(tokens[i])) {
      return i + 1;
    }
  }
  return 0;
}

std::vector<TokenId> Repeated(const std::vector<TokenId>& passage, std::size_t times) {
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < times; ++i) {
    tokens.insert(tokens.end(), passage.begin(), passage.end());
  }
  return tokens;
}

std::vector<TokenId> Passage(std::size_t length) {
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < length; ++i) {
    tokens.push_back(static_cast<TokenId>(1000 + i));
  }
  return tokens;
}

TEST(LoopDetector, FiresAtTheLimitForEveryLengthOfPassage) {
  for (std::size_t length = 1; length <= LoopDetector::kLongestPassage; ++length) {
    const std::size_t limit =
        std::max(LoopDetector::kLeastTokens, LoopDetector::kLeastRepeats * length);
    std::vector<TokenId> tokens = {7, 8, 9};  // something comes before
    const std::vector<TokenId> loop = Repeated(Passage(length), limit / length + 2);
    tokens.insert(tokens.end(), loop.begin(), loop.end());
    EXPECT_EQ(FiresAt(tokens), 3 + limit) << length;
  }
  const std::size_t too_long = LoopDetector::kLongestPassage + 1;
  EXPECT_EQ(FiresAt(Repeated(Passage(too_long), 20)), 0U);
}

TEST(LoopDetector, NamesTheShortestPassage) {
  LoopDetector detector;
  for (const TokenId token : Repeated({1, 2, 1, 3}, 256)) {
    static_cast<void>(detector.Push(token));
  }
  EXPECT_EQ(detector.passage(), 4U);
  EXPECT_EQ(detector.repeated(), 1024U);
  EXPECT_TRUE(detector.Push(1));
  EXPECT_FALSE(detector.Push(1));
  EXPECT_FALSE(detector.Push(2));
}

TEST(LoopDetector, LetsHonestRepetitionPass) {
  // ha ha ha, short of the limit.
  EXPECT_EQ(FiresAt(Repeated({5}, LoopDetector::kLeastTokens - 1)), 0U);
  // A table of 20 rows with 20 equal cells and a line end each.
  std::vector<TokenId> row = Repeated({10, 11}, 20);
  row.push_back(12);
  EXPECT_EQ(FiresAt(Repeated(row, 20)), 0U);
  // A list of 2,000 lines that differ by one token, and code with many equal braces.
  std::vector<TokenId> list;
  std::vector<TokenId> code;
  for (TokenId i = 0; i < 2000; ++i) {
    list.insert(list.end(), {20, 100 + i, 21, 22, 23, 24, 25});
    code.insert(code.end(), {30, 31, 32, 100 + i % 3, 33, 33, 33, 100 + i % 7, 34});
    if (i % 50 == 49) {
      code.push_back(35 + i);
    }
  }
  EXPECT_EQ(FiresAt(list), 0U);
  EXPECT_EQ(FiresAt(code), 0U);
  // Random tokens of a small alphabet.
  std::vector<TokenId> random;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    random.push_back(UniformAt(1, i) < 0.9 ? 1 : 2);
  }
  EXPECT_EQ(FiresAt(random), 0U);
}

}  // namespace
}  // namespace tandem
