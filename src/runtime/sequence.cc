#include "runtime/sequence.h"

#include <algorithm>

namespace tandem {
namespace {

// One past the largest position so far, on all axes (models.md 7.4).
std::int32_t NextPosition(std::int32_t next, const RowPosition& position) {
  return std::max({next, position[0] + 1, position[1] + 1, position[2] + 1});
}

}  // namespace

Sequence Sequence::Fork() const {
  Sequence copy(state_.Fork());
  copy.tokens_ = tokens_;
  copy.positions_ = positions_;
  copy.next_position_ = next_position_;
  return copy;
}

Sequence Sequence::ForkKept(std::size_t length) {
  Sequence copy(state_.ForkKept(length));
  const auto end = static_cast<std::ptrdiff_t>(length);
  copy.Append(std::span(tokens_.begin(), tokens_.begin() + end),
              std::span(positions_.begin(), positions_.begin() + end));
  return copy;
}

void Sequence::Truncate(std::size_t length) {
  state_.Truncate(length);
  tokens_.resize(length);
  positions_.resize(length);
  next_position_ = 0;
  for (const RowPosition& position : positions_) {
    next_position_ = NextPosition(next_position_, position);
  }
}

std::size_t Sequence::CommonPrefix(std::span<const TokenId> tokens) const {
  const std::size_t limit = std::min(tokens.size(), tokens_.size());
  std::size_t i = 0;
  while (i < limit && tokens[i] == tokens_[i]) {
    ++i;
  }
  return i;
}

void Sequence::Append(std::span<const TokenId> tokens, std::span<const RowPosition> positions) {
  // Room for both first: never one without the other. It grows where a page of the cache begins, so
  // that the steps between allocate nothing.
  const std::size_t length = tokens_.size() + tokens.size();
  if (length > std::min(tokens_.capacity(), positions_.capacity())) {
    const std::size_t pages = (length + kKvPageTokens - 1) / kKvPageTokens;
    const std::size_t room = std::max(pages * kKvPageTokens, 2 * tokens_.size());
    tokens_.reserve(room);
    positions_.reserve(room);
  }
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  positions_.insert(positions_.end(), positions.begin(), positions.end());
  for (const RowPosition& position : positions) {
    next_position_ = NextPosition(next_position_, position);
  }
}

}  // namespace tandem
