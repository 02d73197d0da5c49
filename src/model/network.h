#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/function_ref.h"
#include "base/status.h"
#include "base/token_id.h"
#include "gguf/model_file.h"
#include "kernels/ops.h"
#include "model/sequence_state.h"

namespace tandem {

/// Position of a row on the time, height and width axes; text has all three equal.
using RowPosition = std::array<std::int32_t, 3>;

/// What every architecture can say about itself; the planner and the inspection commands live on
/// this.
struct ModelInfo {
  std::string architecture;  // as in the file: "qwen35", "phi3"
  std::size_t layers = 0;
  std::size_t width = 0;
  std::size_t vocabulary = 0;      // rows of the head
  std::size_t context_length = 0;  // positions the model was made for
  std::size_t kv_layers = 0;
  std::size_t kv_heads = 0;
  std::size_t head_dim = 0;
  std::size_t recurrent_floats = 0;  // state of all recurrent layers of one sequence
  std::size_t widest_input = 0;      // longest row that enters a matrix product
  std::size_t scratch_floats_per_row = 0;
};

/// One sequence's part of a step. Memory of the spans must outlive the step.
struct BatchSequence {
  SequenceState* state = nullptr;
  std::span<const TokenId> ids;             // one per row; negative: take the row of `vectors`
  std::span<const RowPosition> positions;   // one per row
  Mat<const float> vectors_TE;              // empty, or one row per row
  std::span<const std::size_t> logit_rows;  // rows that ask for logits, ascending
  std::size_t rollback_rows = 0;            // the step must be undoable over its last k rows,
                                            // which are at most its own
  std::size_t keep_after = 0;  // > 0: the state as it is after so many rows, fewer than all, is
                               // kept (SequenceState::ForkKept); not together with a rollback
};

/// Called after the embedding (index 0), after each layer but the last (index = layers done) and
/// after the final norm (index = layers), with all rows of the step.
using HiddenTap = FunctionRef<void(std::size_t index, Mat<const float> x_TE)>;

/// Working memory of one model's steps, sized when made. Owned by whoever steps the model.
class StepScratch {
 public:
  virtual ~StepScratch() = default;
};

/// Weights of one network and its forward pass. Immutable after loading and thread-safe; the file
/// must outlive it.
class Network {
 public:
  virtual ~Network() = default;

  virtual const ModelInfo& info() const = 0;

  /// Working memory for steps of at most max_rows rows in all.
  virtual std::unique_ptr<StepScratch> NewScratch(std::size_t max_rows) const = 0;

  /// Reads the rows of every sequence, advances their states and writes one row of logits [R, V]
  /// for each logit row, in order. Pages for the new positions must have been reserved
  /// (SequenceState::kv). Same bits for any split of the rows over steps and any company in the
  /// batch.
  virtual void Forward(Ops& ops, std::span<const BatchSequence> batch, StepScratch& scratch,
                       Mat<float> logits_RV, const HiddenTap* tap) const = 0;

  /// Tells that `state` is about to hold `tokens` tokens. False when what it has read must be read
  /// anew from an empty state, because the model reads longer sequences differently (LongRoPE); the
  /// state is unchanged then.
  virtual bool PlanLength(SequenceState& state, std::size_t tokens) const {
    static_cast<void>(state);
    static_cast<void>(tokens);
    return true;
  }

  KvLayout kv_layout(KvType type) const {
    return {.layers = info().kv_layers,
            .kv_heads = info().kv_heads,
            .head_dim = info().head_dim,
            .type = type};
  }
};

/// Loads the network in `file`, whichever registered architecture it is. Unsupported for another
/// architecture (lists those known), NotFound or Corrupt for missing or misshapen tensors and keys,
/// each named.
Result<std::unique_ptr<Network>> LoadNetwork(const gguf::ModelFile& file);

}  // namespace tandem
