#include "grammar/matcher.h"

#include <string>

#include <gtest/gtest.h>

#include "grammar/grammar_for_test.h"

namespace tandem::grammar {
namespace {

TEST(Matcher, ARefusedTokenChangesNothing) {
  Matcher matcher = MatcherOf("json");
  ASSERT_TRUE(matcher.Accept("{\"a"));
  EXPECT_FALSE(matcher.Accept("b\"x"));
  EXPECT_FALSE(matcher.Accept("\": 1}}"));
  EXPECT_FALSE(matcher.complete());
  ASSERT_TRUE(matcher.Accept("\": 1}"));
  EXPECT_TRUE(matcher.complete());
  EXPECT_TRUE(matcher.must_end());
  EXPECT_FALSE(matcher.Accept(" "));
  matcher.Start();
  EXPECT_FALSE(matcher.complete());
  EXPECT_TRUE(matcher.Accept("{}"));
}

TEST(Matcher, ANumberMayEndAndGoOn) {
  Matcher matcher = MatcherOf(R"({"type":"integer","maximum":123})");
  ASSERT_TRUE(matcher.Accept("12"));
  EXPECT_TRUE(matcher.complete());
  EXPECT_FALSE(matcher.must_end());
  ASSERT_TRUE(matcher.Accept("3"));
  EXPECT_TRUE(matcher.must_end());
}

TEST(Matcher, TokensMayEndWithinACharacter) {
  Matcher matcher = MatcherOf(R"({"type":"string","maxLength":1})");
  ASSERT_TRUE(matcher.Accept("\"\xE2\x82"));
  const auto allowed = CheckedTokens(matcher);
  for (std::size_t id = 0; id < 256; ++id) {
    EXPECT_EQ(Allows(allowed, id), id >= 0x80 && id < 0xC0) << id;
  }
  ASSERT_TRUE(matcher.Accept("\xAC"));
  EXPECT_FALSE(matcher.Accept("a"));
  EXPECT_TRUE(matcher.Accept("\""));
}

// Each text token by token in several ways, the set compared with trial at every step.
TEST(Matcher, SetsAreWhatTrialGives) {
  const struct {
    const char* format;
    const char* text;
  } kCases[] = {
      {"json",
       "{\"name\": \"a\xC3\xA9\\ud83d\\ude00\", \"b\": [1, 2.5e+10, true, null, {}], \"c\": {\n  "
       "\"d\": \"\"\n}}"},
      {R"({"properties":{"name":{"type":"string","minLength":2,"maxLength":5},"a":{"type":"array",
           "items":{"type":"integer","minimum":-12,"maximum":123},"minItems":2,"maxItems":3}},
           "required":["name"],"additionalProperties":{"type":["boolean","null"]}})",
       "{\"name\": \"abc\xC3\xA9\", \"a\": [1, 123],\n  \"abc\": true}"},
      {R"({"anyOf":[{"type":"string","pattern":"^(ab)+c?$"},{"type":"string","maxLength":3},
           {"enum":["abab","abc","x"]},{"type":"array","items":{"$ref":"#"},"maxItems":2}]})",
       "[[\"ababc\", \"ab\"], \"abc\"]"},
  };
  for (const auto& [format, text] : kCases) {
    for (std::size_t longest = 1; longest < 6; ++longest) {
      Matcher matcher = MatcherOf(format);
      for (std::string_view left = text; !left.empty();) {
        CheckedTokens(matcher);
        std::size_t length = 0;
        for (const std::string& token : Tokens().texts()) {
          if (token.size() <= longest && left.substr(0, token.size()) == token) {
            length = std::max(length, token.size());
          }
        }
        ASSERT_TRUE(matcher.Accept(left.substr(0, length))) << left;
        left.remove_prefix(length);
      }
      EXPECT_TRUE(matcher.complete());
      CheckedTokens(matcher);
    }
  }
}

// A schema that can be read in 2^n ways at depth n neither stops nor leaves the language.
TEST(Matcher, AmbiguityHasAnEnd) {
  Matcher matcher = MatcherOf(
      R"({"anyOf":[{"type":"array","items":{"$ref":"#"}},{"type":"array","items":{"$ref":"#"},"maxItems":3},
          {"type":"array","items":{"$ref":"#"},"minItems":1},{"type":"integer"}]})");
  std::vector<std::uint64_t> words(Tokens().trie()->words());
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(matcher.Accept("["));
    if (i % 8 == 0) {
      matcher.AllowedTokens(words);
    }
  }
  ASSERT_TRUE(matcher.Accept("1"));
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(matcher.Accept("]"));
  }
  EXPECT_TRUE(matcher.complete());
}

TEST(Matcher, LongTextsKeepNoDeadCalls) {
  Matcher matcher = MatcherOf(R"({"type":"array"})");
  ASSERT_TRUE(matcher.Accept("["));
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_TRUE(matcher.Accept("{\"a\": [1, 2]}, "));
  }
  ASSERT_TRUE(matcher.Accept("0]"));
  EXPECT_TRUE(matcher.complete());
}

}  // namespace
}  // namespace tandem::grammar
