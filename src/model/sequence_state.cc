#include "model/sequence_state.h"

#include <algorithm>

namespace tandem {

SequenceState::SequenceState(const SequenceState& other, KvCache kv)
    : long_factors(other.long_factors),
      kv_(std::move(kv)),
      recurrent_(other.recurrent_.size()),
      length_(other.length_) {
  std::copy_n(other.recurrent_.data(), recurrent_.size(), recurrent_.data());
}

SequenceState SequenceState::Fork() const {
  return SequenceState(*this, kv_.Fork());
}

bool SequenceState::CanTruncate(std::size_t length) const {
  if (length > length_) {
    return false;
  }
  return length == length_ || length == 0 || recurrent_.empty() ||
         length_ - length <= rollback_rows_;
}

void SequenceState::Truncate(std::size_t length) {
  TANDEM_CHECK(CanTruncate(length), "a recurrent state cannot go back that far");
  if (length == length_) {
    return;
  }
  if (length == 0) {
    std::fill_n(recurrent_.data(), recurrent_.size(), 0.0F);
  } else if (!recurrent_.empty()) {
    std::swap(recurrent_, rollback_[length_ - length - 1]);
  }
  rollback_rows_ = 0;
  kv_.Truncate(length);
  length_ = length;
}

SequenceState SequenceState::ForkKept(std::size_t length) {
  TANDEM_CHECK(length <= length_ && (recurrent_.empty() || !kept_.empty()), "nothing was kept");
  KvCache kv = kv_.Fork();  // may fail, and must not take kept_ along
  SequenceState copy(std::move(kv), std::move(kept_));
  kept_ = AlignedBuffer<float>();
  copy.long_factors = long_factors;
  copy.kv_.Truncate(length);
  copy.length_ = length;
  return copy;
}

float* SequenceState::KeptSlot() {
  if (kept_.size() < recurrent_.size()) {
    kept_ = AlignedBuffer<float>(recurrent_.size());
  }
  return kept_.data();
}

void SequenceState::PrepareRollback(std::size_t rows) {
  rollback_rows_ = recurrent_.empty() ? 0 : rows;
  while (rollback_.size() < rollback_rows_) {
    rollback_.emplace_back(recurrent_.size());
  }
}

}  // namespace tandem
