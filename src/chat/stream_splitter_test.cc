#include "chat/stream_splitter.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "text/vocabulary_for_test.h"

namespace tandem {
namespace {

using text::TokenType;

/// A byte vocabulary with an end token and, if asked, think tags as tokens.
class Model {
 public:
  explicit Model(bool think_tokens) : end_(vocabulary_.Add("<|end|>", TokenType::kControl)) {
    if (think_tokens) {
      vocabulary_.Add("<think>", TokenType::kUserDefined);
      vocabulary_.Add("</think>", TokenType::kUserDefined);
    }
  }

  text::Tokenizer Tokenizer() {
    return std::move(text::Tokenizer::Create(vocabulary_.View(text::PreTokenizer::kGpt4o))).value();
  }
  TokenId end() const { return end_; }

 private:
  text::TestVocabulary vocabulary_;
  TokenId end_;
};

struct Split {
  std::string reasoning;
  std::string answer;
  std::size_t reasoning_tokens = 0;
  std::size_t answer_tokens = 0;
};

Split Stream(const text::Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool in_reasoning) {
  StreamSplitter splitter(tokenizer, in_reasoning);
  Split run;
  const auto add = [&run](const SplitText& piece) {
    run.reasoning += piece.reasoning;
    run.answer += piece.answer;
  };
  for (const TokenId id : ids) {
    add(splitter.Push(id));
  }
  add(splitter.Flush());
  run.reasoning_tokens = splitter.reasoning_tokens();
  run.answer_tokens = splitter.answer_tokens();
  return run;
}

struct Case {
  bool in_reasoning;
  std::string_view text;
  std::string_view reasoning;
  std::string_view answer;
};

constexpr Case kBothKinds[] = {
    {false, "Hi", "", "Hi"},
    {false, "  Hi\n", "", "  Hi\n"},
    {false, " \n ", "", " \n "},
    {true, "I see\n</think>\n\nHi", "I see", "Hi"},
    {true, "\nI see", "I see", ""},
    {true, "a\n\nb \n", "a\n\nb", ""},
    {true, "\n</think>\n\nHi", "", "Hi"},
    {true, "</think>Hi", "", "Hi"},
    {true, "a</think>\n \n    code", "a", "    code"},
    {true, "a</think> Hi\n\n there", "a", " Hi\n\n there"},
    {true, "a</think>\n\n", "a", ""},
    {true, "<think>\na\n</think>\n\nHi", "a", "Hi"},  // one redundant tag
    {true, "\n<think>a</think>Hi", "a", "Hi"},
    {false, "<think>\na\n</think>\n\nHi", "a", "Hi"},
    {false, "\n <think>a</think>Hi", "a", "Hi"},
    {false, "<thin", "", "<thin"},
    {false, "<thinly", "", "<thinly"},
    {true, "a </thin> b", "a </thin> b", ""},
    {true, "a </thin", "a </thin", ""},
};

TEST(StreamSplitter, SplitsAtTagTokens) {
  Model model(true);
  const text::Tokenizer tokenizer = model.Tokenizer();
  for (const Case& c : kBothKinds) {
    const Split run = Stream(tokenizer, tokenizer.EncodeSpecial(c.text), c.in_reasoning);
    EXPECT_EQ(run.reasoning, c.reasoning) << c.text;
    EXPECT_EQ(run.answer, c.answer) << c.text;
  }
}

TEST(StreamSplitter, SplitsAtTagsThatAreOrdinaryText) {
  Model model(false);
  const text::Tokenizer tokenizer = model.Tokenizer();
  for (const Case& c : kBothKinds) {
    const Split run = Stream(tokenizer, tokenizer.EncodeSpecial(c.text), c.in_reasoning);
    EXPECT_EQ(run.reasoning, c.reasoning) << c.text;
    EXPECT_EQ(run.answer, c.answer) << c.text;
  }
}

TEST(StreamSplitter, TagsSpeltOutBesideTokensAreContent) {
  Model model(true);
  const text::Tokenizer tokenizer = model.Tokenizer();
  const Split answer = Stream(tokenizer, tokenizer.EncodePlain("<think>a</think>b"), false);
  EXPECT_EQ(answer.reasoning, "");
  EXPECT_EQ(answer.answer, "<think>a</think>b");
  const Split reasoning = Stream(tokenizer, tokenizer.EncodePlain("a</think>b"), true);
  EXPECT_EQ(reasoning.reasoning, "a</think>b");
}

TEST(StreamSplitter, TextTagsOpenAtTheStartOnly) {
  Model model(false);
  const text::Tokenizer tokenizer = model.Tokenizer();
  const Split run = Stream(tokenizer, tokenizer.EncodePlain("Use <think> and </think>."), false);
  EXPECT_EQ(run.reasoning, "");
  EXPECT_EQ(run.answer, "Use <think> and </think>.");
}

TEST(StreamSplitter, TagTokensSwitchAnywhereAndStrayOnesAreNotShown) {
  Model model(true);
  const text::Tokenizer tokenizer = model.Tokenizer();
  const Split again =
      Stream(tokenizer, tokenizer.EncodeSpecial("a</think>b<think>\nc</think>\nd</think>e"), true);
  EXPECT_EQ(again.reasoning, "ac");
  EXPECT_EQ(again.answer, "bde");
  const Split nested =
      Stream(tokenizer, tokenizer.EncodeSpecial("<think>a<think>b</think>c"), true);
  EXPECT_EQ(nested.reasoning, "a<think>b");  // only one is redundant
  EXPECT_EQ(nested.answer, "c");
}

TEST(StreamSplitter, HidesControlTokensAndDoesNotCountThem) {
  for (const bool think_tokens : {true, false}) {
    Model model(think_tokens);
    const text::Tokenizer tokenizer = model.Tokenizer();
    std::vector<TokenId> ids = tokenizer.EncodeSpecial("<think>ab</think>\nHey<|end|>");
    ids.insert(ids.begin(), model.end());
    const Split run = Stream(tokenizer, ids, false);
    EXPECT_EQ(run.reasoning, "ab");
    EXPECT_EQ(run.answer, "Hey");
    EXPECT_EQ(run.answer_tokens, 4U);                                   // the newline too
    EXPECT_EQ(run.reasoning_tokens, think_tokens ? 4U : 2U + 7U + 8U);  // with the tags
  }
}

TEST(StreamSplitter, EmitsWholeCharactersAndNoPartOfATagEarly) {
  Model model(false);
  const text::Tokenizer tokenizer = model.Tokenizer();
  StreamSplitter splitter(tokenizer, true);
  const std::string text = "\xE2\x82\xAC <\xC3\xA9</think>\xF0\x9F\x98\x80";
  std::vector<std::string> reasoning;
  std::vector<std::string> answer;
  for (const TokenId id : tokenizer.EncodePlain(text)) {
    const SplitText piece = splitter.Push(id);
    if (!piece.reasoning.empty()) {
      reasoning.push_back(piece.reasoning);
    }
    if (!piece.answer.empty()) {
      answer.push_back(piece.answer);
    }
  }
  EXPECT_EQ(reasoning, (std::vector<std::string>{"\xE2\x82\xAC", " <\xC3\xA9"}));
  EXPECT_EQ(answer, (std::vector<std::string>{"\xF0\x9F\x98\x80"}));
}

TEST(StreamSplitter, IncompleteCharacterBecomesAReplacementAtTheEnd) {
  Model model(true);
  const text::Tokenizer tokenizer = model.Tokenizer();
  std::vector<TokenId> ids = tokenizer.EncodePlain("a\xE2\x82");
  EXPECT_EQ(Stream(tokenizer, ids, false).answer, "a\xEF\xBF\xBD");
  ids.push_back(*tokenizer.Find("</think>"));
  EXPECT_EQ(Stream(tokenizer, ids, true).reasoning, "a\xEF\xBF\xBD");
}

}  // namespace
}  // namespace tandem
