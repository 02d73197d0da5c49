#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"

namespace tandem::grammar {

using StateId = std::uint32_t;

/// The state after the whole value.
inline constexpr StateId kDone = 0;
inline constexpr std::uint32_t kUnbounded = 0xFFFFFFFF;
/// Rules that are entered one in another, at most: about as deep as the JSON that is written.
inline constexpr std::uint32_t kMaxDepth = 200;

/// What a rule that counts (characters, items) is still bound to.
struct Count {
  std::uint32_t need = 0;           // so many more must come before it may end
  std::uint32_t room = kUnbounded;  // so many more may come

  bool operator==(const Count&) const = default;
};

/// A rule: where it begins, and its counts there.
struct Rule {
  StateId start = kDone;
  Count count;
};

/// Reads one byte of first..last. counts: only while there is room, which it uses up.
struct ByteEdge {
  std::uint8_t first = 0;
  std::uint8_t last = 0;
  bool counts = false;
  StateId target = kDone;
};

/// Goes on without reading.
struct Move {
  enum class Kind : std::uint8_t {
    kGoto,  // within the rule
    kJump,  // another rule takes this one's place: what follows this one follows that one
    kCall,  // another rule, and when it returns, on at `back`
  };
  Kind kind = Kind::kGoto;
  bool counts = false;
  StateId target = kDone;
  StateId back = kDone;  // of a call
  Count count = {};      // of the rule entered
};

/// A language of byte strings: automata (rules) that call each other, as JSON needs them.
/// Immutable; thread-safe.
class Grammar {
 public:
  std::span<const ByteEdge> edges(StateId state) const {
    return std::span(edges_).subspan(states_[state].edges,
                                     states_[state + 1].edges - states_[state].edges);
  }
  std::span<const Move> moves(StateId state) const {
    return std::span(moves_).subspan(states_[state].moves,
                                     states_[state + 1].moves - states_[state].moves);
  }
  /// The rule may end here, once nothing is needed any more.
  bool returns(StateId state) const { return states_[state].returns; }
  /// Calls, one in another, that it takes at least to come from here to the rule's end; kUnbounded:
  /// it cannot be reached.
  std::uint32_t height(StateId state) const { return heights_[state]; }
  std::size_t size() const { return heights_.size(); }
  const Rule& root() const { return root_; }

 private:
  friend class GrammarBuilder;
  struct State {
    std::uint32_t edges = 0;
    std::uint32_t moves = 0;
    bool returns = false;
  };

  std::vector<State> states_;  // one more than there are
  std::vector<ByteEdge> edges_;
  std::vector<Move> moves_;
  std::vector<std::uint32_t> heights_;
  Rule root_;
};

/// Puts a Grammar together, state by state. Single-threaded.
class GrammarBuilder {
 public:
  static constexpr std::size_t kMaxStates = std::size_t{1} << 17;

  GrammarBuilder() { states_.resize(1); }

  /// A state without a way on. Beyond kMaxStates all are one, and Finish fails.
  StateId NewState();
  bool full() const { return full_; }

  void AddEdge(StateId from, std::uint8_t first, std::uint8_t last, StateId target,
               bool counts = false);
  void AddGoto(StateId from, StateId target);
  void AddJump(StateId from, const Rule& rule);
  void AddCall(StateId from, const Rule& rule, StateId back, bool counts = false);
  void SetReturns(StateId state) { states_[state].returns = true; }
  /// A path that reads `text`; returns its end.
  StateId AddText(StateId from, std::string_view text);

  /// `names`: for errors, what to call the states at which named rules begin. InvalidArgument when
  /// a rule comes back to itself without reading a byte, or `root` has no finite text; Unsupported
  /// beyond kMaxStates and when `root` needs more than kMaxDepth.
  Result<Grammar> Finish(const Rule& root,
                         std::span<const std::pair<StateId, std::string>> names) &&;

 private:
  struct State {
    std::vector<ByteEdge> edges = {};
    std::vector<Move> moves = {};
    bool returns = false;
  };

  std::vector<bool> FindNullable() const;
  StateId FindLeftRecursion() const;
  std::vector<std::uint32_t> Heights() const;

  std::vector<State> states_;
  bool full_ = false;
};

}  // namespace tandem::grammar
