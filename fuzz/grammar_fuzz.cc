// Schemas from bytes to texts: any bytes must give an error of one line, or a grammar whose random
// texts, token by token within the allowed set, are JSON. The last bytes choose the tokens.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "grammar/format.h"
#include "grammar/matcher.h"
#include "io/json.h"

namespace {

using namespace tandem;           // NOLINT(google-build-using-namespace): a program of its own
using namespace tandem::grammar;  // NOLINT(google-build-using-namespace): as above

constexpr std::size_t kChoices = 48;  // bytes at the end
constexpr std::size_t kSteps = 96;

const std::vector<std::string>& Texts() {
  static const std::vector<std::string> kTexts = [] {
    std::vector<std::string> texts;
    for (int byte = 0; byte < 256; ++byte) {
      texts.emplace_back(1, static_cast<char>(byte));
    }
    for (const char* text : {"{\"", "\": ", "\", \"", "},", "]}", "\n  ", "true", "12", "\\u00",
                             "ab", "\xC3\xA9", "\xE2\x82", "\"}", "[[", "null", "-0.", "e+"}) {
      texts.emplace_back(text);
    }
    return texts;
  }();
  return kTexts;
}

std::shared_ptr<const TokenTrie> Trie() {
  static const std::shared_ptr<const TokenTrie> kTrie = [] {
    std::vector<TokenTrie::Token> tokens;
    for (std::size_t i = 0; i < Texts().size(); ++i) {
      tokens.push_back({.bytes = Texts()[i], .id = static_cast<TokenId>(i)});
    }
    return std::make_shared<const TokenTrie>(std::move(tokens), Texts().size());
  }();
  return kTrie;
}

// Whether the grammar lets a token through is tried for each at some steps.
void CheckSet(const Matcher& matcher, const std::vector<std::uint64_t>& words) {
  for (std::size_t id = 0; id < Texts().size(); ++id) {
    Matcher copy = matcher;
    TANDEM_CHECK(copy.Accept(Texts()[id]) == ((words[id / 64] >> (id % 64) & 1) != 0),
                 "the set is what trial gives");
  }
}

void Walk(Matcher& matcher, std::string_view choices) {
  std::vector<std::uint64_t> words(Trie()->words());
  std::string text;
  for (std::size_t step = 0; step < kSteps && !matcher.must_end(); ++step) {
    matcher.AllowedTokens(words);
    if (step == 3 || step == 20) {
      CheckSet(matcher, words);
    }
    std::vector<std::size_t> allowed;
    for (std::size_t id = 0; id < Texts().size(); ++id) {
      if ((words[id / 64] >> (id % 64) & 1) != 0) {
        allowed.push_back(id);
      }
    }
    TANDEM_CHECK(!allowed.empty() || matcher.complete(), "there is always a way on");
    const std::size_t choice =
        step < choices.size() ? static_cast<std::uint8_t>(choices[step]) : 7 * step;
    if (allowed.empty() || (matcher.complete() && choice % 5 == 0)) {
      break;
    }
    const std::string& token = Texts()[allowed[choice % allowed.size()]];
    TANDEM_CHECK(matcher.Accept(token), "what is allowed is accepted");
    text += token;
  }
  if (matcher.complete()) {
    TANDEM_CHECK(ParseJson(text, "text", 1000).ok(), "a whole text is JSON");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  // What follows a zero byte chooses; schemas have none.
  const std::size_t zero = std::min(input.find('\0'), input.size());
  const std::string_view schema = input.substr(0, zero);
  const std::string_view choices = input.substr(std::min(zero + 1, input.size()), kChoices);
  const auto grammar = CompileFormat(schema, "fuzz");
  if (!grammar.ok()) {
    TANDEM_CHECK(grammar.status().message().find('\n') == std::string::npos,
                 "an error is one line");
    return 0;
  }
  Matcher matcher(*grammar, Trie());
  Walk(matcher, choices);
  return 0;
}
