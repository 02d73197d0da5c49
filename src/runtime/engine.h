#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "model/network.h"
#include "runtime/sampler.h"
#include "runtime/sequence.h"

namespace tandem {

struct EngineOptions {
  CpuOptions cpu;  // max_rows and max_cols are set by the engine
  KvType kv = KvType::kF16;
  std::size_t max_step_rows = 256;  // rows of all sequences in one step
  std::size_t context_tokens = 0;   // longest sequence; 0: the model's limit
};

enum class FinishReason {
  kRunning,
  kRead,  // nothing to sample was asked for
  kStopToken,
  kMaxTokens,
  kContext,  // the sequence is as long as the context
  kStopped,  // on_token said so
  kCancelled,
  kError,  // see Request::error
};

/// Reading some rows into a sequence and, with a sampler, generating after them. Filled by the
/// caller, advanced by Engine::Step; the caller keeps it and everything it points to until it has
/// finished.
struct Request {
  Sequence* sequence = nullptr;
  std::vector<TokenId> prompt;         // rows to append; not empty. Negative: a ready vector
  std::vector<std::size_t> borders;    // where messages begin in `prompt`, ascending
  std::vector<RowPosition> positions;  // one per prompt row, or empty: text
  Mat<const float> vectors_TE;         // empty, or one row per prompt row; those of tokens unused
  Sampler* sampler = nullptr;          // null: only read
  std::size_t max_tokens = 0;
  std::vector<TokenId> stop_tokens;
  const std::atomic<bool>* cancel = nullptr;
  /// Tokens that come next whatever the sampler would choose; all else goes on as if it had chosen
  /// them. Taken from the front; on_token may set it. What it points to must stay.
  std::span<const TokenId> forced;

  /// Each sampled token, stop tokens included; false ends the request.
  std::function<bool(TokenId)> on_token;
  /// Prompt rows read so far, and in all.
  std::function<void(std::size_t done, std::size_t total)> on_progress;
  /// Prompt rows whose logits are wanted, ascending, and where they go (row index, V logits).
  std::vector<std::size_t> logit_rows;
  std::function<void(std::size_t row, std::span<const float> logits)> on_logits;
  /// > 0: once so many prompt rows are read, on_keep gets the sequence as it is then. Costs a copy
  /// of the recurrent state, no step of its own.
  std::size_t keep_after = 0;
  std::function<void(Sequence kept)> on_keep;
  /// All rows of each step with the index of HiddenTap and the index of the first prompt row; only
  /// for a request that is alone in its engine.
  std::function<void(std::size_t index, std::size_t first_row, Mat<const float> x_TE)> on_hidden;
  /// The sequence crossed a length from which the model reads it differently: `tokens` are read
  /// anew.
  std::function<void(std::size_t tokens)> on_reread;

  // Set by the engine.
  FinishReason finish = FinishReason::kRunning;
  Status error;
  std::size_t read = 0;                          // prompt rows read
  std::size_t generated = 0;                     // tokens sampled
  std::size_t reread = 0;                        // rows read again
  std::chrono::duration<double> prefill_time{};  // of steps that read prompt rows of this request
  std::chrono::duration<double> decode_time{};
};

/// Steps all sequences of one model together: each step reads one row of every generating sequence
/// and pieces of the prompts that wait. A prompt is cut only at message borders and every 64 rows
/// after one. Single-threaded: callers on several threads take turns (api/ does that); the model
/// must outlive it.
class Engine {
 public:
  static Result<std::unique_ptr<Engine>> Create(const Network& network,
                                                const EngineOptions& options);

  Sequence NewSequence() {
    return Sequence(SequenceState(pool_, network_.info().recurrent_floats));
  }

  /// Queues a request. InvalidArgument when the prompt is empty, does not fit the context or names
  /// a token past the vocabulary; the numbers are in the message.
  Status Submit(Request& request);
  /// Ends an unfinished request; what it has read and generated stays.
  void Cancel(Request& request);
  /// Advances every unfinished request; false when there was none.
  bool Step();
  /// Submits and steps until this request has finished.
  Status Run(Request& request);

  const Network& network() const { return network_; }
  Ops& ops() { return *ops_; }
  std::size_t context_tokens() const { return context_tokens_; }
  KvType kv_type() const { return pool_.layout().type; }
  /// Key-value pages and working memory held now.
  std::size_t memory_bytes() const;

 private:
  /// What one request contributes to a step.
  struct Piece {
    Request* request = nullptr;
    std::size_t begin = 0;  // into the rows of `ids_`
    std::size_t rows = 0;
    bool decoding = false;
    bool last = false;              // ends the prompt
    std::size_t keep_after = 0;     // rows of it after which the sequence is kept
    std::size_t logits = 0;         // rows of logits it needs
    std::size_t wanted_logits = 0;  // of them, those that on_logits gets
  };

  Engine(const Network& network, const EngineOptions& options, std::unique_ptr<Ops> ops);
  /// Adds a piece of at most `budget` rows; 0 when the request finished or failed instead.
  std::size_t AddPiece(Request& request, std::size_t budget);
  bool PlanLength(Request& request, std::size_t tokens);
  void StartReread(Request& request);
  void RunModel();
  void Deliver(const Piece& piece, std::size_t first_logit, std::chrono::duration<double> time);
  void SampleNext(Request& request, std::span<const float> logits);
  std::size_t PieceEnd(const Request& request, std::size_t budget) const;
  void GrowLogits(std::size_t rows);
  /// Finished requests belong to their callers again, who may have destroyed them by the next step.
  void ForgetFinished();

  const Network& network_;
  std::unique_ptr<Ops> ops_;
  KvPool pool_;
  std::unique_ptr<StepScratch> scratch_;
  std::size_t max_step_rows_;
  std::size_t context_tokens_;
  std::vector<Request*> active_;

  // Of the step under way; capacity is kept.
  std::vector<Piece> pieces_;
  std::vector<BatchSequence> batch_;
  std::vector<TokenId> ids_;
  std::vector<RowPosition> positions_;
  std::vector<std::size_t> logit_rows_;
  AlignedBuffer<float> logits_;
};

}  // namespace tandem
