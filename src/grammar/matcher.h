#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grammar/grammar.h"
#include "grammar/token_trie.h"

namespace tandem::grammar {

/// Follows one text through a grammar and says which tokens may come next, byte for byte: a token
/// may also end within a character. What it finds out about a state of the grammar it remembers, so
/// that meeting it again costs little; then nothing is allocated. Single-threaded.
///
/// When more than a thousand readings of the text are possible at once, which only schemas made for
/// it bring about, the first thousand are followed: the text still fits the schema.
class Matcher {
 public:
  Matcher(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> trie);

  /// Back to the beginning of a text.
  void Start();
  /// Goes on by the bytes of a token. False, and nothing changes, when the grammar forbids them.
  bool Accept(std::string_view bytes);
  /// Sets the bits of the allowed tokens, and of no others; as many words as the trie says.
  void AllowedTokens(std::span<std::uint64_t> allowed);
  /// The text may end here.
  bool complete() const;
  /// It may end and not go on.
  bool must_end() const;

 private:
  /// A rule that waits for another to return.
  struct Frame {
    StateId back = kDone;
    std::uint32_t parent = 0;
    Count count;
    std::uint32_t depth = 0;
  };
  /// A reading of the text: where in which rule, for whom that rule was called.
  struct Reading {
    StateId state = kDone;
    std::uint32_t frame = 0;
    Count count;
    /// In a walk from a state whose counts are not known: how much of the room was used up.
    std::uint32_t used = 0;

    bool operator==(const Reading&) const = default;
  };
  /// The rule returned to a caller that the walk does not know.
  struct Return {
    std::uint32_t node = 0;  // of the trie, behind which the caller goes on
    std::uint32_t used = 0;
    bool counts = false;  // what the rule needs must be used up
  };
  /// What is known of a state, whoever called its rule and whatever its counts.
  struct Known {
    std::vector<std::uint64_t> words = {};  // the tokens as a set; empty when they are few
    std::vector<TokenId> ids = {};          // few tokens, or those that use room up; most first
    std::vector<std::uint32_t> used = {};   // by each of `ids`
    std::vector<Return> returns = {};
    std::uint32_t most_used = 0;
    std::uint32_t height = 0;  // of the calls that it takes
  };
  struct Level {
    std::size_t begin = 0;   // of its readings
    std::size_t frames = 0;  // as many as there were before
  };

  const Known& KnownOf(StateId state);
  void AddTokensOf(const Reading& reading, std::span<std::uint64_t> allowed);
  void AddKnown(const Known& known, const Count& count, std::span<std::uint64_t> allowed);
  void AddReturns(const Known& known, const Reading& reading, std::span<std::uint64_t> allowed);
  template <typename OnNode>
  void Walk(std::uint32_t root, std::span<const Reading> from, OnNode on_node);
  void Step(const Reading& reading, std::uint8_t byte, std::size_t begin,
            std::vector<Reading>& out);
  void Close(const Reading& reading, std::size_t begin, std::vector<Reading>& out);
  void Follow(const Reading& reading, const Move& move);
  void ReturnFrom(const Reading& reading);
  static bool Spend(Reading& reading);
  std::uint32_t Push(const Frame& frame);
  void DropDeadFrames();

  std::shared_ptr<const Grammar> grammar_;
  std::shared_ptr<const TokenTrie> trie_;
  std::vector<Reading> readings_;  // of the text so far
  std::vector<Frame> frames_;

  std::unordered_map<StateId, Known> known_;
  std::size_t known_bytes_ = 0;

  // Of a walk; capacity is kept.
  std::vector<Reading> open_;  // to be closed
  std::vector<Reading> walk_;  // of all levels
  std::vector<Level> levels_;
  std::vector<Reading> next_;
  std::vector<Reading> path_;
  std::vector<Reading> after_;  // a return
  std::vector<Return> returns_;
  std::vector<std::uint64_t> words_;
  std::vector<std::pair<std::uint32_t, TokenId>> found_;
  std::vector<std::uint32_t> moved_;
  std::uint32_t node_ = 0;
  std::uint32_t height_ = 0;
};

}  // namespace tandem::grammar
