#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/token_id.h"

namespace tandem::grammar {

/// The tokens of a vocabulary as a tree of bytes. Immutable; thread-safe.
class TokenTrie {
 public:
  struct Token {
    std::string_view bytes;  // those without any are left out
    TokenId id = 0;
  };

  /// In the order of a walk that goes down first.
  struct Node {
    std::uint32_t past = 0;    // index behind the nodes below this one
    std::uint32_t tokens = 0;  // where its own tokens begin; they end where those of the next do
    std::uint16_t depth = 0;   // bytes from the root
    std::uint8_t byte = 0;
  };

  /// vocabulary: ids are below it. Tokens of more than 65,535 bytes are left out.
  TokenTrie(std::vector<Token> tokens, std::size_t vocabulary);

  /// The root comes first; behind the last node stands one that only ends the tokens.
  std::span<const Node> nodes() const { return nodes_; }
  std::span<const TokenId> tokens(std::uint32_t node) const {
    return std::span(ids_).subspan(nodes_[node].tokens,
                                   nodes_[node + 1].tokens - nodes_[node].tokens);
  }
  std::size_t vocabulary() const { return vocabulary_; }
  /// 64-bit words of a set of tokens.
  std::size_t words() const { return (vocabulary_ + 63) / 64; }

 private:
  std::vector<Node> nodes_;
  std::vector<TokenId> ids_;
  std::size_t vocabulary_;
};

}  // namespace tandem::grammar
