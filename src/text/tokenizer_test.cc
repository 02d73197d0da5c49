#include "text/tokenizer.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "base/utf8.h"
#include "text/vocabulary_for_test.h"

namespace tandem::text {
namespace {

using Ids = std::vector<TokenId>;

// The 256 bytes, a few words and double line feeds, and three added tokens.
class TokenizerTest : public testing::Test {
 protected:
  TokenizerTest() {
    for (const char* merge : {"h e", "l l", "he ll", "hell o", "Ċ Ċ", "u s", "us e", "use r"}) {
      words_.AddMerge(merge);
    }
    start_ = words_.Add("<|start|>", TokenType::kControl);
    think_ = words_.Add("<think>", TokenType::kUserDefined);
    user_ = words_.Add("<|user|>", TokenType::kControl);
    unused_ = words_.Add("[PAD0]", TokenType::kUnused);
  }

  Tokenizer Make(const Vocabulary& vocabulary) { return Tokenizer::Create(vocabulary).value(); }
  Tokenizer Make() { return Make(words_.View(PreTokenizer::kQwen35)); }

  std::string Decode(const Tokenizer& tokenizer, const Ids& ids) {
    std::string text;
    for (const TokenId id : ids) {
      text += tokenizer.TokenBytes(id);
    }
    return text;
  }

  TestVocabulary words_;
  TokenId start_ = 0;
  TokenId think_ = 0;
  TokenId user_ = 0;
  TokenId unused_ = 0;
};

TEST_F(TokenizerTest, MergesByRankWithinPieces) {
  const Tokenizer tokenizer = Make();
  EXPECT_EQ(tokenizer.EncodePlain("hello"), Ids{*tokenizer.Find("hello")});
  EXPECT_EQ(tokenizer.EncodePlain("hell1o"),
            (Ids{*tokenizer.Find("hell"), *tokenizer.Find("1"), *tokenizer.Find("o")}));
  EXPECT_TRUE(tokenizer.EncodePlain("").empty());
}

TEST_F(TokenizerTest, JoinsTheLeftmostOfEqualPairsInShortAndLongPieces) {
  const Tokenizer tokenizer = Make();
  const TokenId pair = *tokenizer.Find("ll");
  for (const std::size_t length : {2U, 3U, 63U, 64U, 65U, 66U, 1001U}) {
    Ids expected(length / 2, pair);
    if (length % 2 == 1) {
      expected.push_back(*tokenizer.Find("l"));
    }
    EXPECT_EQ(tokenizer.EncodePlain(std::string(length, 'l')), expected) << length;
  }
}

TEST_F(TokenizerTest, RecognisesAddedTokensOnlyInTrustedText) {
  const Tokenizer tokenizer = Make();
  EXPECT_EQ(tokenizer.EncodeSpecial("<|start|><think>"), (Ids{start_, think_}));
  const Ids typed = tokenizer.EncodePlain("<|start|><think>");
  EXPECT_EQ(typed.size(), std::string_view("<|start|><think>").size());  // single bytes
  EXPECT_EQ(Decode(tokenizer, typed), "<|start|><think>");
}

TEST_F(TokenizerTest, NeverMatchesAcrossTheBorderOfTrust) {
  const Tokenizer tokenizer = Make();
  const std::vector<Tokenizer::Span> prompt = {{.text = "<|start|><|sta", .trusted = true},
                                               {.text = "rt|>", .trusted = false}};
  const Ids ids = tokenizer.Encode(prompt);
  EXPECT_EQ(ids[0], start_);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), start_), 1);
  EXPECT_EQ(Decode(tokenizer, ids), "<|start|><|start|>");
}

TEST_F(TokenizerTest, MatchesAcrossNeighbouringTrustedSpans) {
  const Tokenizer tokenizer = Make();
  const std::vector<Tokenizer::Span> prompt = {{.text = "<|", .trusted = true},
                                               {.text = "start", .trusted = true},
                                               {.text = "", .trusted = false},
                                               {.text = "|>", .trusted = true}};
  EXPECT_EQ(tokenizer.Encode(prompt), Ids{start_});
}

TEST_F(TokenizerTest, JoinsSpansBeforeSplitting) {
  const Tokenizer tokenizer = Make();
  const std::vector<Tokenizer::Span> prompt = {{.text = "<|start|>user\n", .trusted = true},
                                               {.text = "\nhello", .trusted = false}};
  EXPECT_EQ(tokenizer.Encode(prompt), (Ids{start_, *tokenizer.Find("user"), *tokenizer.Find("ĊĊ"),
                                           *tokenizer.Find("hello")}));
}

TEST_F(TokenizerTest, RstripSwallowsWhiteSpaceOfAnySpan) {
  Vocabulary vocabulary = words_.View(PreTokenizer::kGpt4o);
  vocabulary.rstrip_ids = {user_};
  const Tokenizer tokenizer = Make(vocabulary);
  const std::vector<Tokenizer::Span> prompt = {{.text = "<|user|> ", .trusted = true},
                                               {.text = "\xE3\x80\x80\nhello", .trusted = false}};
  EXPECT_EQ(tokenizer.Encode(prompt), (Ids{user_, *tokenizer.Find("hello")}));
  EXPECT_EQ(tokenizer.EncodeSpecial("<|start|> "), (Ids{start_, *tokenizer.Find("Ġ")}));
}

TEST_F(TokenizerTest, PrefersTheLongestAddedTokenAtOnePlace) {
  const TokenId longer = words_.Add("<think>!", TokenType::kUserDefined);
  const Tokenizer tokenizer = Make();
  EXPECT_EQ(tokenizer.EncodeSpecial("<think>!<think>"), (Ids{longer, think_}));
}

TEST_F(TokenizerTest, NormalisesOnlyWhenTold) {
  const std::string decomposed = "e\xCC\x81";
  Vocabulary vocabulary = words_.View(PreTokenizer::kQwen35);
  EXPECT_EQ(Decode(Make(vocabulary), Make(vocabulary).EncodePlain(decomposed)), decomposed);
  vocabulary.nfc = true;
  EXPECT_EQ(Decode(Make(vocabulary), Make(vocabulary).EncodePlain(decomposed)), "\xC3\xA9");
}

TEST_F(TokenizerTest, DoesNotComposeWithAnAddedToken) {
  const TokenId e_token = words_.Add("<e", TokenType::kUserDefined);
  Vocabulary vocabulary = words_.View(PreTokenizer::kQwen35);
  vocabulary.nfc = true;
  const Tokenizer tokenizer = Make(vocabulary);
  const Ids ids = tokenizer.EncodeSpecial("<e\xCC\x81");
  EXPECT_EQ(ids[0], e_token);
  EXPECT_EQ(Decode(tokenizer, ids), "<e\xCC\x81");
}

TEST_F(TokenizerTest, UnusedRowsHaveNoTextAndAreNeverMatched) {
  const Tokenizer tokenizer = Make();
  EXPECT_EQ(tokenizer.TokenBytes(unused_), "");
  EXPECT_EQ(tokenizer.Find("[PAD0]"), std::nullopt);
  EXPECT_EQ(Decode(tokenizer, tokenizer.EncodeSpecial("[PAD0]")), "[PAD0]");
  EXPECT_TRUE(tokenizer.IsUnused(unused_));
}

TEST_F(TokenizerTest, IdsOutOfRangeAreHarmless) {
  const Tokenizer tokenizer = Make();
  for (const TokenId id : {-1, static_cast<TokenId>(tokenizer.size()), INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(tokenizer.TokenBytes(id), "");
    EXPECT_FALSE(tokenizer.IsControl(id));
  }
}

TEST_F(TokenizerTest, RefusesTwoTokensOfOneText) {
  words_.Add("hello", TokenType::kNormal);
  const Result<Tokenizer> tokenizer = Tokenizer::Create(words_.View(PreTokenizer::kQwen35));
  EXPECT_EQ(tokenizer.status().code(), StatusCode::kCorrupt);
  EXPECT_NE(tokenizer.status().message().find("\"hello\""), std::string::npos);
}

TEST_F(TokenizerTest, RefusesArraysThatDoNotFitTogether) {
  Vocabulary vocabulary = words_.View(PreTokenizer::kQwen35);
  vocabulary.types = vocabulary.types.first(vocabulary.types.size() - 1);
  EXPECT_EQ(Tokenizer::Create(vocabulary).status().code(), StatusCode::kCorrupt);
  vocabulary = words_.View(PreTokenizer::kQwen35);
  vocabulary.rstrip_ids = {static_cast<TokenId>(words_.size())};
  EXPECT_EQ(Tokenizer::Create(vocabulary).status().code(), StatusCode::kInvalidArgument);
  words_.Add("odd", TokenType{7});
  EXPECT_EQ(Tokenizer::Create(words_.View(PreTokenizer::kQwen35)).status().code(),
            StatusCode::kCorrupt);
}

TEST_F(TokenizerTest, RefusesAVocabularyWithoutAllBytes) {
  Vocabulary vocabulary = words_.View(PreTokenizer::kQwen35);
  vocabulary.tokens = vocabulary.tokens.subspan(1);
  vocabulary.types = vocabulary.types.subspan(1);
  EXPECT_NE(Tokenizer::Create(vocabulary).status().message().find("byte 21"), std::string::npos);
}

TEST_F(TokenizerTest, CountsMergesThatCannotBeUsed) {
  words_.AddMergeLine("nospace");
  words_.AddMergeLine("zz y");       // no such part
  words_.AddMergeLine("x y");        // no such product
  words_.AddMergeLine("<|user| >");  // no such part, and its product is a control token
  EXPECT_EQ(Make().SkippedMerges(), 4U);
}

TEST_F(TokenizerTest, OrdinaryTextNeverMergesIntoAControlToken) {
  words_.AddMerge("< e");
  words_.Add("<en", TokenType::kControl);
  words_.AddMergeLine("<e n");
  const Tokenizer tokenizer = Make();
  EXPECT_EQ(tokenizer.SkippedMerges(), 1U);
  EXPECT_EQ(tokenizer.EncodePlain("<en"), (Ids{*tokenizer.Find("<e"), *tokenizer.Find("n")}));
}

TEST_F(TokenizerTest, TheFirstOfTwoEqualMergesWins) {
  TestVocabulary vocabulary;
  for (const char* merge : {"a b", "b c", "ab c"}) {
    vocabulary.AddMerge(merge);
  }
  vocabulary.AddMergeLine("a b");  // at its later rank, "b c" would come first
  const Tokenizer tokenizer = Make(vocabulary.View(PreTokenizer::kQwen35));
  EXPECT_EQ(tokenizer.EncodePlain("abc"), Ids{*tokenizer.Find("abc")});
}

TEST_F(TokenizerTest, RepeatedPiecesGiveTheSameIds) {
  const Tokenizer tokenizer = Make();
  const Ids once = tokenizer.EncodePlain(" hello user");
  Ids many;
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    text += " hello user";
    many.insert(many.end(), once.begin(), once.end());
  }
  EXPECT_EQ(tokenizer.EncodePlain(text), many);
}

TEST_F(TokenizerTest, IllFormedBytesComeBackAsTheyAre) {
  std::mt19937 random(20240917);
  for (const PreTokenizer pre : {PreTokenizer::kQwen35, PreTokenizer::kGpt4o, PreTokenizer::kQwen2,
                                 PreTokenizer::kGpt2, PreTokenizer::kStarcoder}) {
    const Tokenizer tokenizer = Make(words_.View(pre));
    for (int round = 0; round < 300; ++round) {
      std::string text;
      for (std::size_t length = random() % 100; length > 0; --length) {
        text += static_cast<char>(random());
      }
      EXPECT_EQ(Decode(tokenizer, tokenizer.EncodePlain(text)), text);
    }
  }
}

}  // namespace
}  // namespace tandem::text
