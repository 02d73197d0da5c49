#include "grammar/token_trie.h"

#include <algorithm>

namespace tandem::grammar {

TokenTrie::TokenTrie(std::vector<Token> tokens, std::size_t vocabulary) : vocabulary_(vocabulary) {
  constexpr std::size_t kMaxBytes = 0xFFFF;
  std::erase_if(tokens, [vocabulary](const Token& token) {
    return token.bytes.empty() || token.bytes.size() > kMaxBytes || token.id < 0 ||
           static_cast<std::size_t>(token.id) >= vocabulary;
  });
  std::sort(tokens.begin(), tokens.end(), [](const Token& a, const Token& b) {
    return a.bytes != b.bytes ? a.bytes < b.bytes : a.id < b.id;
  });
  nodes_.push_back({});
  std::vector<std::uint32_t> path = {0};  // the nodes of the bytes of `last`
  std::string_view last;
  const auto leave = [&](std::size_t depth) {
    while (path.size() > depth + 1) {
      nodes_[path.back()].past = static_cast<std::uint32_t>(nodes_.size());
      path.pop_back();
    }
  };
  for (const Token& token : tokens) {
    const std::size_t common = static_cast<std::size_t>(
        std::mismatch(token.bytes.begin(), token.bytes.end(), last.begin(), last.end()).first -
        token.bytes.begin());
    leave(common);
    for (std::size_t i = common; i < token.bytes.size(); ++i) {
      path.push_back(static_cast<std::uint32_t>(nodes_.size()));
      nodes_.push_back({.past = 0,
                        .tokens = static_cast<std::uint32_t>(ids_.size()),
                        .depth = static_cast<std::uint16_t>(i + 1),
                        .byte = static_cast<std::uint8_t>(token.bytes[i])});
    }
    ids_.push_back(token.id);
    last = token.bytes;
  }
  leave(0);
  const auto end = static_cast<std::uint32_t>(nodes_.size());
  nodes_[0].past = end;
  nodes_.push_back({.past = end, .tokens = static_cast<std::uint32_t>(ids_.size())});
}

}  // namespace tandem::grammar
