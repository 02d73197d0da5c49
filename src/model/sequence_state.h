#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "model/kv_cache.h"

namespace tandem {

/// Everything a model remembers of one sequence: cached keys and values, and the fixed-size state
/// of recurrent layers. A value: Fork() gives an independent copy (key-value pages shared until
/// written), which is also a snapshot to come back to. Move-only otherwise; one thread at a time.
/// The pool must outlive it.
class SequenceState {
 public:
  /// recurrent_floats: size of the recurrent layers' state, all layers together; starts as zeros.
  SequenceState(KvPool& pool, std::size_t recurrent_floats)
      : kv_(pool), recurrent_(recurrent_floats) {}

  /// Tokens read so far.
  std::size_t length() const { return length_; }

  SequenceState Fork() const;

  /// Whether Truncate(length) can succeed: always for the present length and for 0; for any shorter
  /// length when nothing is recurrent; else only within the rows that the last step was asked to be
  /// able to roll back.
  bool CanTruncate(std::size_t length) const;
  /// Forgets all tokens past `length`; CanTruncate(length) must hold.
  void Truncate(std::size_t length);

  /// A copy as of `length`, the rows that the last step was asked to keep the state after
  /// (BatchSequence::keep_after). Once only per step.
  SequenceState ForkKept(std::size_t length);

  // For models, during a step.
  KvCache& kv() { return kv_; }
  float* recurrent() { return recurrent_.data(); }
  /// Makes room for going back over `rows` rows of the coming step.
  void PrepareRollback(std::size_t rows);
  /// The recurrent state as it was `back` rows (1 .. rows of PrepareRollback) before the end of the
  /// step.
  float* RollbackSlot(std::size_t back) { return rollback_[back - 1].data(); }
  /// Makes room for the recurrent state in the middle of the coming step.
  float* KeptSlot();
  void Advance(std::size_t rows) { length_ += rows; }

  /// Phi: the sequence was read with the long rotary factors (models.md section 4).
  bool long_factors = false;

 private:
  SequenceState(const SequenceState& other, KvCache kv);
  SequenceState(KvCache kv, AlignedBuffer<float> recurrent)
      : kv_(std::move(kv)), recurrent_(std::move(recurrent)) {}

  KvCache kv_;
  AlignedBuffer<float> recurrent_;
  std::vector<AlignedBuffer<float>> rollback_;
  std::size_t rollback_rows_ = 0;  // slots that are valid now
  AlignedBuffer<float> kept_;
  std::size_t length_ = 0;
};

}  // namespace tandem
