// The set of allowed tokens on whole vocabularies: what trying every single token gives.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/rng.h"
#include "chat/loaded_model.h"
#include "grammar/format.h"
#include "grammar/matcher.h"
#include "store/builtin.h"

namespace tandem {
namespace {

bool Allows(const std::vector<std::uint64_t>& words, std::size_t id) {
  return (words[id / 64] >> (id % 64) & 1) != 0;
}

// Walks through the language at random and compares along the way.
void Compare(const LoadedModel& model, const std::string& format, std::uint64_t seed) {
  const text::Tokenizer& tokens = model.tokenizer();
  const grammar::TokenTrie& trie = *model.token_trie();
  grammar::Matcher matcher(grammar::CompileFormat(format, "format").value(), model.token_trie());
  std::vector<std::uint64_t> words(trie.words());
  for (std::uint64_t step = 0; step < 40 && !matcher.must_end(); ++step) {
    matcher.AllowedTokens(words);
    std::vector<TokenId> allowed;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const auto id = static_cast<TokenId>(i);
      grammar::Matcher copy = matcher;
      const bool ordinary =
          !tokens.IsControl(id) && !tokens.IsUserDefined(id) && !tokens.IsUnused(id);
      const bool accepts =
          ordinary && !tokens.TokenBytes(id).empty() && copy.Accept(tokens.TokenBytes(id));
      ASSERT_EQ(Allows(words, i), accepts) << tokens.TokenBytes(id) << " at step " << step;
      if (accepts) {
        allowed.push_back(id);
      }
    }
    const double draw = UniformAt(seed, step) * static_cast<double>(allowed.size());
    ASSERT_TRUE(matcher.Accept(tokens.TokenBytes(allowed[static_cast<std::size_t>(draw)])));
  }
}

TEST(GrammarLaws, SetsOfAllowedTokensAreWhatTrialGives) {
  for (const std::string& name : BuiltinModelNames()) {
    const auto model = LoadedModel::Load(OpenModelFile(name).value()).value();
    Compare(*model, "json", 1);
    Compare(
        *model,
        R"({"type":"object","properties":{"name":{"type":"string","maxLength":9},"age":{"type":"integer",
                "minimum":0,"maximum":130},"tags":{"type":"array","items":{"enum":["red","reddish","blue"]},
                "minItems":1,"maxItems":3}},"required":["name","age"],"additionalProperties":{"type":"boolean"}})",
        2);
    Compare(*model,
            R"({"anyOf":[{"type":"string","pattern":"^[a-z]+( [a-z]+)*$"},{"type":"number"}]})", 3);
  }
}

}  // namespace
}  // namespace tandem
