#include "chat/snapshots.h"

#include <utility>

namespace tandem {

void Snapshots::Add(Sequence sequence) {
  if (!kept_.empty() && kept_.back().length() == sequence.length()) {
    return;
  }
  kept_.push_back(std::move(sequence));
  while (kept_.size() > 1 && bytes() > budget_) {
    // Without snapshot i, going back to it starts at i - 1: the rows between are read again.
    std::size_t least = 0;
    std::size_t least_gap = kept_.back().length() + 1;
    for (std::size_t i = 0; i + 1 < kept_.size(); ++i) {
      const std::size_t before = i == 0 ? 0 : kept_[i - 1].length();
      const std::size_t gap = kept_[i].length() - before;
      if (gap < least_gap) {
        least = i;
        least_gap = gap;
      }
    }
    kept_.erase(kept_.begin() + static_cast<std::ptrdiff_t>(least));
  }
}

const Sequence* Snapshots::Longest(std::span<const TokenId> rows, std::size_t limit) const {
  for (std::size_t i = kept_.size(); i-- > 0;) {
    const std::size_t length = kept_[i].length();
    if (length <= limit && kept_[i].CommonPrefix(rows) == length) {
      return &kept_[i];
    }
  }
  return nullptr;
}

void Snapshots::KeepBeginningsOf(std::span<const TokenId> rows) {
  std::erase_if(kept_, [&](const Sequence& one) { return one.CommonPrefix(rows) != one.length(); });
}

}  // namespace tandem
