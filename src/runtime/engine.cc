#include "runtime/engine.h"

#include <algorithm>
#include <exception>

#include "base/format.h"

namespace tandem {
namespace {

// Grid of a prompt's pieces after a message border.
constexpr std::size_t kGridRows = 64;
// Rows of logits one step keeps: more of them are split over steps, since a row is a whole
// vocabulary.
constexpr std::size_t kMaxLogitRows = 32;

// The one row that waits is the token sampled last.
bool Generates(const Request& request) {
  return request.generated > 0 && request.read + 1 == request.prompt.size();
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::Create(const Network& network,
                                               const EngineOptions& options) {
  const ModelInfo& info = network.info();
  if (options.context_tokens > info.context_length) {
    return Status(StatusCode::kInvalidArgument,
                  Format("a context of {} tokens is more than the model's limit of {}",
                         options.context_tokens, info.context_length));
  }
  if (info.head_dim % KvBlockLength(options.kv) != 0) {
    return Status(
        StatusCode::kInvalidArgument,
        Format("KV cache type {} needs heads of a multiple of {} values; this model has {}",
               KvTypeName(options.kv), KvBlockLength(options.kv), info.head_dim));
  }
  CpuOptions cpu = options.cpu;
  cpu.max_rows = options.max_step_rows;
  cpu.max_cols = info.widest_input;
  TANDEM_ASSIGN_OR_RETURN(std::unique_ptr<Ops> ops, MakeCpuOps(cpu));
  return std::unique_ptr<Engine>(new Engine(network, options, std::move(ops)));
}

Engine::Engine(const Network& network, const EngineOptions& options, std::unique_ptr<Ops> ops)
    : network_(network),
      ops_(std::move(ops)),
      pool_(network.kv_layout(options.kv)),
      scratch_(network.NewScratch(options.max_step_rows)),
      max_step_rows_(options.max_step_rows),
      context_tokens_(options.context_tokens == 0 ? network.info().context_length
                                                  : options.context_tokens) {
  ids_.reserve(max_step_rows_);
  positions_.reserve(max_step_rows_);
  logit_rows_.reserve(max_step_rows_);
  batch_.reserve(max_step_rows_);
  pieces_.reserve(max_step_rows_);
  active_.reserve(max_step_rows_);
  GrowLogits(1);
}

void Engine::GrowLogits(std::size_t rows) {
  const std::size_t floats = rows * network_.info().vocabulary;
  if (logits_.size() < floats) {
    logits_ = AlignedBuffer<float>(floats);
  }
}

std::size_t Engine::memory_bytes() const {
  const std::size_t floats =
      max_step_rows_ * network_.info().scratch_floats_per_row + logits_.size();
  return pool_.allocated_bytes() + ops_->scratch_bytes() + floats * sizeof(float);
}

Status Engine::Submit(Request& request) {
  TANDEM_CHECK(request.sequence != nullptr, "a request needs a sequence");
  if (request.prompt.empty()) {
    return {StatusCode::kInvalidArgument, "the prompt has no tokens"};
  }
  const std::size_t total = request.sequence->length() + request.prompt.size();
  if (total > context_tokens_) {
    return {StatusCode::kInvalidArgument,
            Format("prompt has {} tokens; {} of {} are free", request.prompt.size(),
                   context_tokens_ - std::min(context_tokens_, request.sequence->length()),
                   context_tokens_)};
  }
  for (const TokenId id : request.prompt) {
    if (id >= static_cast<TokenId>(network_.info().vocabulary) ||
        (id < 0 && request.vectors_TE.rows == 0)) {
      return {StatusCode::kInvalidArgument, Format("token id {} is outside the vocabulary of {}",
                                                   id, network_.info().vocabulary)};
    }
  }
  TANDEM_CHECK(request.positions.empty() || request.positions.size() == request.prompt.size(),
               "positions per row");
  request.finish = FinishReason::kRunning;
  active_.push_back(&request);
  return OkStatus();
}

Status Engine::Run(Request& request) {
  TANDEM_RETURN_IF_ERROR(Submit(request));
  while (request.finish == FinishReason::kRunning) {
    Step();
  }
  return request.finish == FinishReason::kError ? request.error : OkStatus();
}

// The row where the next piece of the prompt ends: the last grid point within the budget, or the
// budget itself when it is smaller than the grid.
std::size_t Engine::PieceEnd(const Request& request, std::size_t budget) const {
  const std::size_t begin = request.read;
  std::size_t end = std::min(request.prompt.size(), begin + budget);
  if (end < request.prompt.size()) {
    std::size_t grid = begin;
    std::size_t origin = 0;
    const auto consider = [&](std::size_t from, std::size_t to) {
      const std::size_t last = std::min(to, end);
      if (last >= from) {
        grid = std::max(grid, from + (last - from) / kGridRows * kGridRows);
      }
    };
    for (const std::size_t border : request.borders) {
      consider(origin, border > 0 ? border - 1 : 0);
      origin = border;
    }
    consider(origin, request.prompt.size());
    end = grid > begin ? grid : end;
  }
  std::size_t wanted = 0;
  for (const std::size_t row : request.logit_rows) {
    if (row >= begin && row < end && ++wanted > kMaxLogitRows) {
      return row;
    }
  }
  return end;
}

// A sequence about to hold `tokens` tokens may have to be read anew (LongRoPE): then its whole
// history becomes the prompt, in front of what still waits.
bool Engine::PlanLength(Request& request, std::size_t tokens) {
  SequenceState& state = request.sequence->state();
  if (network_.PlanLength(state, tokens)) {
    return true;
  }
  StartReread(request);
  return network_.PlanLength(state, tokens);
}

void Engine::StartReread(Request& request) {
  const std::vector<TokenId> history = request.sequence->tokens();
  TANDEM_CHECK(std::all_of(history.begin(), history.end(), [](TokenId id) { return id >= 0; }),
               "only text can be read anew");
  request.prompt.erase(request.prompt.begin(),
                       request.prompt.begin() + static_cast<std::ptrdiff_t>(request.read));
  request.prompt.insert(request.prompt.begin(), history.begin(), history.end());
  for (std::size_t& row : request.logit_rows) {
    row += history.size() - request.read;
  }
  request.keep_after = 0;  // a snapshot would not outlive a longer conversation either
  request.read = 0;
  request.borders.clear();
  request.positions.clear();
  request.reread += history.size();
  request.sequence->Truncate(0);
  if (request.on_reread) {
    request.on_reread(history.size());
  }
}

std::size_t Engine::AddPiece(Request& request, std::size_t budget) {
  Sequence& sequence = *request.sequence;
  if (request.cancel != nullptr && request.cancel->load(std::memory_order_relaxed)) {
    request.finish = FinishReason::kCancelled;
    return 0;
  }
  // A prompt is planned as a whole: its pieces must all be read the same way.
  PlanLength(request, sequence.length() + request.prompt.size() - request.read);
  const bool decoding = Generates(request);
  const std::size_t end = PieceEnd(request, budget);
  const std::size_t rows = end - request.read;
  Status reserved = sequence.state().kv().Reserve(sequence.length(), sequence.length() + rows);
  if (!reserved.ok()) {
    request.error = std::move(reserved);
    request.finish = FinishReason::kError;
    return 0;
  }
  Piece piece{.request = &request, .begin = ids_.size(), .rows = rows, .decoding = decoding};
  piece.last = end == request.prompt.size();
  if (request.keep_after > request.read && request.keep_after <= end) {
    piece.keep_after = request.keep_after - request.read;
  }
  const std::size_t first_logit = logit_rows_.size();
  for (const std::size_t row : request.logit_rows) {
    if (row >= request.read && row < end) {
      logit_rows_.push_back(row - request.read);
    }
  }
  piece.wanted_logits = logit_rows_.size() - first_logit;
  const bool sampled_row_listed = piece.wanted_logits > 0 && logit_rows_.back() + 1 == rows;
  if (piece.last && request.sampler != nullptr && !sampled_row_listed) {
    logit_rows_.push_back(rows - 1);
  }
  piece.logits = logit_rows_.size() - first_logit;
  for (std::size_t row = request.read; row < end; ++row) {
    ids_.push_back(request.prompt[row]);
    const auto next = static_cast<std::int32_t>(sequence.next_position() +
                                                static_cast<std::int32_t>(row - request.read));
    positions_.push_back(request.positions.empty() ? RowPosition{next, next, next}
                                                   : request.positions[row]);
  }
  pieces_.push_back(piece);
  return rows;
}

void Engine::ForgetFinished() {
  std::erase_if(active_, [](const Request* r) { return r->finish != FinishReason::kRunning; });
}

void Engine::Cancel(Request& request) {
  request.finish = FinishReason::kCancelled;
  ForgetFinished();
}

bool Engine::Step() {
  if (active_.empty()) {
    return false;
  }
  // When an exception passes by (no memory), none of the unfinished sequences can be trusted: each
  // is emptied, and its request ends. The message is short enough to need no memory itself.
  struct AbandonAll {
    ~AbandonAll() {
      if (std::uncaught_exceptions() > before) {
        for (Request* request : active) {
          request->sequence->Truncate(0);
          request->finish = FinishReason::kError;
          request->error = Status(StatusCode::kOutOfMemory, "out of memory");
        }
        active.clear();
      }
    }
    std::vector<Request*>& active;
    int before = std::uncaught_exceptions();
  };
  const AbandonAll on_exception{active_};
  pieces_.clear();
  ids_.clear();
  positions_.clear();
  logit_rows_.clear();
  std::size_t budget = max_step_rows_;
  // Generating sequences first: one row each keeps every answer flowing while prompts are read.
  std::partition(active_.begin(), active_.end(), [](const Request* r) { return Generates(*r); });
  for (Request* request : active_) {
    if (budget > 0) {
      budget -= AddPiece(*request, budget);
    }
  }
  if (!pieces_.empty()) {
    RunModel();
  }
  ForgetFinished();
  return true;
}

void Engine::RunModel() {
  batch_.clear();
  std::size_t logit = 0;
  for (const Piece& piece : pieces_) {
    Request& request = *piece.request;
    BatchSequence& sequence = batch_.emplace_back();
    sequence.state = &request.sequence->state();
    sequence.ids = std::span(ids_).subspan(piece.begin, piece.rows);
    sequence.positions = std::span(positions_).subspan(piece.begin, piece.rows);
    sequence.logit_rows = std::span(logit_rows_).subspan(logit, piece.logits);
    if (request.vectors_TE.rows > 0) {
      sequence.vectors_TE = request.vectors_TE.RowRange(request.read, piece.rows);
    }
    sequence.keep_after = piece.keep_after < piece.rows ? piece.keep_after : 0;
    logit += piece.logits;
  }
  GrowLogits(logit);
  const Request& first = *pieces_.front().request;
  const auto tap = [&first](std::size_t index, Mat<const float> x_TE) {
    first.on_hidden(index, first.read, x_TE);
  };
  const HiddenTap hidden(tap);
  const auto start = std::chrono::steady_clock::now();
  network_.Forward(*ops_, batch_, *scratch_,
                   Mat<float>(logits_.data(), logit, network_.info().vocabulary),
                   first.on_hidden ? &hidden : nullptr);
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  logit = 0;
  for (const Piece& piece : pieces_) {
    Deliver(piece, logit, time);
    logit += piece.logits;
  }
}

void Engine::Deliver(const Piece& piece, std::size_t first_logit,
                     std::chrono::duration<double> time) {
  Request& request = *piece.request;
  const std::size_t vocabulary = network_.info().vocabulary;
  (piece.decoding ? request.decode_time : request.prefill_time) += time;
  request.sequence->Append(std::span(ids_).subspan(piece.begin, piece.rows),
                           std::span(positions_).subspan(piece.begin, piece.rows));
  const auto logits_of = [&](std::size_t i) {
    return std::span<const float>(logits_.data() + (first_logit + i) * vocabulary, vocabulary);
  };
  if (request.on_logits) {
    for (std::size_t i = 0; i < piece.wanted_logits; ++i) {
      request.on_logits(request.read + logit_rows_[first_logit + i], logits_of(i));
    }
  }
  if (piece.keep_after > 0) {
    const std::size_t length = request.sequence->length() - piece.rows + piece.keep_after;
    request.on_keep(piece.keep_after < piece.rows ? request.sequence->ForkKept(length)
                                                  : request.sequence->Fork());
  }
  request.read += piece.rows;
  if (!piece.decoding && request.on_progress) {
    request.on_progress(request.read, request.prompt.size());
  }
  if (!piece.last) {
    return;
  }
  if (request.sampler == nullptr) {
    request.finish = FinishReason::kRead;
    return;
  }
  SampleNext(request, logits_of(piece.logits - 1));
}

void Engine::SampleNext(Request& request, std::span<const float> logits) {
  if (request.generated >= request.max_tokens) {
    request.finish = FinishReason::kMaxTokens;
    return;
  }
  TokenId token = 0;
  if (request.forced.empty()) {
    token = request.sampler->Sample(logits, request.sequence->length()).token;
  } else {
    token = request.forced.front();
    request.forced = request.forced.subspan(1);
  }
  request.sampler->Accept(token);
  ++request.generated;
  const bool go_on = !request.on_token || request.on_token(token);
  if (std::find(request.stop_tokens.begin(), request.stop_tokens.end(), token) !=
      request.stop_tokens.end()) {
    request.finish = FinishReason::kStopToken;
  } else if (!go_on) {
    request.finish = FinishReason::kStopped;
  } else if (request.generated >= request.max_tokens) {
    request.finish = FinishReason::kMaxTokens;
  } else if (request.sequence->length() >= context_tokens_) {
    request.finish = FinishReason::kContext;
  } else {
    // The token is the whole prompt of the next step.
    request.prompt.assign(1, token);
    request.positions.clear();
    request.logit_rows.clear();
    request.borders.clear();
    request.keep_after = 0;
    request.vectors_TE = {};
    request.read = 0;
  }
}

}  // namespace tandem
