#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "grammar/format.h"
#include "grammar/matcher.h"

namespace tandem::grammar {

/// A vocabulary for tests: all bytes, and pieces of JSON and of characters that run over the
/// borders of its parts, as those of real vocabularies do. Some stand for the same bytes.
class TestTokens {
 public:
  TestTokens() {
    for (int byte = 0; byte < 256; ++byte) {
      texts_.emplace_back(1, static_cast<char>(byte));
    }
    for (const char* text :
         {"{\"",        "\":",     "\": ",     "\", \"",   "\",\"",    "\",\n",    "},",
          "}}",         "]}",      "[]",       "{}",       "[[",       ",\n",      "\n  ",
          "\n    ",     "  ",      "   ",      "\n\n",     ", ",       ": ",       "[\"",
          "\"]",        "\"}",     "true",     "false",    "null",     " true",    "tru",
          "ull",        "10",      "12",       "123",      "007",      "-1",       "0.",
          ".5",         "e+",      "1e",       "E-1",      "ab",       "abc",      "name",
          "\"name",     "\"a\":",  "a\"",      "\\\"",     "\\n",      "\\u",      "\\u00",
          "\\ud83d",    "\\ude00", "\xC3\xA9", "\xE2\x82", "\x82\xAC", "\xF0\x9F", "\x98\x80",
          "\xC3\xA9\"", "é: ",     "2024",     "-02-",     "29",       "T12:",     "30Z",
          "a",          "a",       "\xED\xA0", "\xC0\x80", "\t",       "\r\n",     " \"",
          "1, 2",       "3]",      "\"}\n",    "}\n",      "<",        "</"}) {
      texts_.emplace_back(text);
    }
    std::vector<TokenTrie::Token> tokens;
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      tokens.push_back({.bytes = texts_[i], .id = static_cast<TokenId>(i)});
    }
    trie_ = std::make_shared<const TokenTrie>(std::move(tokens), texts_.size());
  }

  const std::vector<std::string>& texts() const { return texts_; }
  const std::shared_ptr<const TokenTrie>& trie() const { return trie_; }

 private:
  std::vector<std::string> texts_;
  std::shared_ptr<const TokenTrie> trie_;
};

inline const TestTokens& Tokens() {
  static const TestTokens kTokens;
  return kTokens;
}

inline Matcher MatcherOf(std::string_view format) {
  Result<std::shared_ptr<const Grammar>> grammar = CompileFormat(format, "schema");
  EXPECT_TRUE(grammar.ok()) << format << ": " << grammar.status().message();
  return Matcher(std::move(grammar).value(), Tokens().trie());
}

/// Whether the whole of `text` is of the grammar, byte by byte.
inline bool Matches(Matcher& matcher, std::string_view text) {
  matcher.Start();
  for (const char& c : text) {
    if (!matcher.Accept({&c, 1})) {
      return false;
    }
  }
  return matcher.complete();
}

inline bool Allows(const std::vector<std::uint64_t>& words, std::size_t id) {
  return (words[id / 64] >> (id % 64) & 1) != 0;
}

/// The set must be what trying every token gives.
inline std::vector<std::uint64_t> CheckedTokens(Matcher& matcher) {
  std::vector<std::uint64_t> words(Tokens().trie()->words());
  matcher.AllowedTokens(words);
  for (std::size_t id = 0; id < Tokens().texts().size(); ++id) {
    Matcher copy = matcher;
    EXPECT_EQ(Allows(words, id), copy.Accept(Tokens().texts()[id]))
        << "token " << id << " '" << Tokens().texts()[id] << "'";
  }
  return words;
}

}  // namespace tandem::grammar
