#include "text/pre_tokenizer.h"

#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/shared_data.h"
#include "text/nfc.h"

namespace tandem::text {
namespace {

using Pieces = std::vector<std::string>;

Pieces Split(PreTokenizer rules, std::string_view text) {
  const PieceMatcher piece_end = MatcherOf(rules);
  Pieces pieces;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = piece_end(text, begin);
    EXPECT_TRUE(end > begin && end <= text.size());
    pieces.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return pieces;
}

Pieces Qwen35(std::string_view text) {
  return Split(PreTokenizer::kQwen35, text);
}

Pieces O200k(std::string_view text) {
  return Split(PreTokenizer::kGpt4o, text);
}

TEST(PreTokenizer, IsFoundByItsGgufName) {
  EXPECT_EQ(FindPreTokenizer("qwen35"), PreTokenizer::kQwen35);
  EXPECT_EQ(FindPreTokenizer("gpt-4o"), PreTokenizer::kGpt4o);
  EXPECT_EQ(FindPreTokenizer("starcoder"), PreTokenizer::kStarcoder);
  EXPECT_EQ(FindPreTokenizer("default"), std::nullopt);
}

TEST(PreTokenizer, CutsContractionsAsEachFamilyDoes) {
  EXPECT_EQ(Qwen35("don't stop"), (Pieces{"don", "'t", " stop"}));
  EXPECT_EQ(O200k("don't stop"), (Pieces{"don't", " stop"}));
  EXPECT_EQ(Qwen35("I'M HERE's"), (Pieces{"I", "'M", " HERE", "'s"}));
  EXPECT_EQ(O200k("I'M HERE's"), (Pieces{"I'M", " HERE's"}));
  EXPECT_EQ(Qwen35("a'\xC5\xBF"), (Pieces{"a", "'\xC5\xBF"}));  // long s folds to s
  EXPECT_EQ(Split(PreTokenizer::kGpt2, "I'm I'M"), (Pieces{"I", "'m", " I", "'", "M"}));
}

TEST(PreTokenizer, CutsDigitsAsEachFamilyDoes) {
  EXPECT_EQ(Qwen35("12345"), (Pieces{"1", "2", "3", "4", "5"}));
  EXPECT_EQ(O200k("12345"), (Pieces{"123", "45"}));
  EXPECT_EQ(Split(PreTokenizer::kGpt2, "a 12345"), (Pieces{"a", " 12345"}));
  EXPECT_EQ(Split(PreTokenizer::kStarcoder, "a  12"), (Pieces{"a", "  ", "1", "2"}));
}

TEST(PreTokenizer, LeavesTheLastSpaceToTheNextPiece) {
  for (const PreTokenizer rules :
       {PreTokenizer::kQwen35, PreTokenizer::kGpt4o, PreTokenizer::kQwen2, PreTokenizer::kGpt2}) {
    EXPECT_EQ(Split(rules, "a  b"), (Pieces{"a", " ", " b"}));
    EXPECT_EQ(Split(rules, "a  "), (Pieces{"a", "  "}));
    EXPECT_EQ(Split(rules, "a \xC2\xA0\xE3\x80\x80?"),
              (Pieces{"a", " \xC2\xA0", "\xE3\x80\x80", "?"}));
  }
}

TEST(PreTokenizer, KeepsNewlinesWithWhatStandsBefore) {
  EXPECT_EQ(Qwen35("x = 1;\n"), (Pieces{"x", " =", " ", "1", ";\n"}));
  EXPECT_EQ(O200k("//\n/a"), (Pieces{"//\n/", "a"}));
  EXPECT_EQ(Qwen35(" \n \n  x"), (Pieces{" \n \n", " ", " x"}));
  EXPECT_EQ(Split(PreTokenizer::kGpt2, ";\n\nx"), (Pieces{";", "\n", "\n", "x"}));
}

TEST(PreTokenizer, BacksUpInO200kWordsWithoutLowerCase) {
  EXPECT_EQ(O200k("日A"), (Pieces{"日", "A"}));
  EXPECT_EQ(O200k("日AB"), (Pieces{"日", "AB"}));
  EXPECT_EQ(O200k("日Ab"), (Pieces{"日Ab"}));
  EXPECT_EQ(O200k("AʰB"), (Pieces{"Aʰ", "B"}));
  EXPECT_EQ(O200k("\xCC\x81"
                  "ABC"),
            (Pieces{"\xCC\x81", "ABC"}));
  EXPECT_EQ(Qwen35("\xCC\x81"
                   "ABC"),
            (Pieces{"\xCC\x81"
                    "ABC"}));
}

TEST(PreTokenizer, MarksBelongToWordsInQwen35ButNotInQwen2) {
  EXPECT_EQ(Qwen35("हिन्दी"), (Pieces{"हिन्दी"}));
  EXPECT_EQ(Split(PreTokenizer::kQwen2, "कि"), (Pieces{"क", "ि"}));
}

TEST(PreTokenizer, IllFormedBytesArePunctuation) {
  EXPECT_EQ(Qwen35("a\xFF\xE2\x82"), (Pieces{"a", "\xFF\xE2\x82"}));
  EXPECT_EQ(Qwen35("\xE2\x82word"), (Pieces{"\xE2\x82", "word"}));
}

TEST(PreTokenizer, MatchesTheSharedCases) {
  TANDEM_SHARED_OR_SKIP(path, "tokenizers/pretok-cases.jsonl");
  std::ifstream file(path);
  std::size_t count = 0;
  for (std::string line; std::getline(file, line); ++count) {
    const nlohmann::json test = nlohmann::json::parse(line);
    const auto text = test.at("text").get<std::string>();
    EXPECT_EQ(O200k(text), test.at("o200k").get<Pieces>()) << line;
    EXPECT_EQ(Qwen35(ToNfc(text)), test.at("qwen35").get<Pieces>()) << line;
  }
  EXPECT_EQ(count, 916U);
}

}  // namespace
}  // namespace tandem::text
