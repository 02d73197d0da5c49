#pragma once

#include <cstddef>
#include <vector>

#include "base/token_id.h"
#include "model/network.h"
#include "model/sequence_state.h"

namespace tandem {

/// One token sequence and what the model remembers of it. A value: Fork() is an independent
/// continuation point and serves as a snapshot. The engine that made it must outlive it; one thread
/// at a time.
class Sequence {
 public:
  explicit Sequence(SequenceState state) : state_(std::move(state)) {}

  /// The tokens read so far; as many as state().length(). A negative number stands for a ready
  /// vector and names its content, so that equal numbers mean equal rows (CommonPrefix).
  const std::vector<TokenId>& tokens() const { return tokens_; }
  std::size_t length() const { return tokens_.size(); }
  /// What all three positions of the next text row are.
  std::int32_t next_position() const { return next_position_; }

  Sequence Fork() const;
  bool CanTruncate(std::size_t length) const { return state_.CanTruncate(length); }
  /// Forgets what follows the first `length` tokens; CanTruncate(length) must hold.
  void Truncate(std::size_t length);
  /// The length of the longest common prefix with `tokens`.
  std::size_t CommonPrefix(std::span<const TokenId> tokens) const;

  /// SequenceState::ForkKept.
  Sequence ForkKept(std::size_t length);

  // For the engine.
  SequenceState& state() { return state_; }
  const SequenceState& state() const { return state_; }
  void Append(std::span<const TokenId> tokens, std::span<const RowPosition> positions);

 private:
  SequenceState state_;
  std::vector<TokenId> tokens_;
  std::vector<RowPosition> positions_;
  std::int32_t next_position_ = 0;
};

}  // namespace tandem
