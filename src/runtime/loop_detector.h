#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/token_id.h"

namespace tandem {

/// Notices when a model has begun to repeat itself without end: when the last kLeastTokens tokens,
/// or more, are one passage of at most kLongestPassage tokens, over and over, at least
/// kLeastRepeats times. What differs by a single token, as the lines of a list do by their numbers,
/// is no repetition. Takes a fixed amount of memory, and of time per token. Single-threaded.
class LoopDetector {
 public:
  static constexpr std::size_t kLongestPassage = 512;
  static constexpr std::size_t kLeastRepeats = 4;
  /// More than a table of 20 by 20 equal cells takes.
  static constexpr std::size_t kLeastTokens = 1024;

  /// The next token; true when it completes a repetition, and as long as that goes on.
  bool Push(TokenId token);

  /// Tokens of the passage that is repeated, after Push was true.
  std::size_t passage() const { return passage_; }
  /// How many tokens the repetition is long by now.
  std::size_t repeated() const { return repeated_; }

 private:
  // The last tokens, twice in a row so that a window never wraps: the newest one at begin_.
  std::array<TokenId, 2 * kLongestPassage> recent_ = {};
  std::size_t begin_ = kLongestPassage;
  std::size_t count_ = 0;
  /// By length of a passage, less one: for how many tokens each was the one that stood a passage
  /// before it.
  std::array<std::uint32_t, kLongestPassage> runs_ = {};
  std::size_t passage_ = 0;
  std::size_t repeated_ = 0;
};

}  // namespace tandem
