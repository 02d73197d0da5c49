#include "chat/chat_session.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "chat/media.h"

namespace tandem {

Status ChatSession::Start(const Conversation& conversation, const TurnOptions& options,
                          Callback on_event) {
  const auto start = std::chrono::steady_clock::now();
  result_ = {};
  cancelled_ = false;
  read_ahead_ = false;
  options_ = options;
  on_event_ = std::move(on_event);
  TANDEM_RETURN_IF_ERROR(model_.CheckFile());
  TANDEM_ASSIGN_OR_RETURN(const text::Template* chat_template, model_.chat_template());
  const PromptOptions prompt_options = OptionsOfPrompt();
  TANDEM_ASSIGN_OR_RETURN(prompt_, MakePrompt(conversation, *chat_template, prompt_options));
  result_.thinking = prompt_.starts_in_reasoning;
  TANDEM_RETURN_IF_ERROR(SettleSampling(*chat_template, prompt_options));
  splitter_ = std::make_unique<StreamSplitter>(model_.tokenizer(), prompt_.starts_in_reasoning);
  stops_ = std::make_unique<StopStrings>(options.stop);
  if (prompt_.ids.size() > engine_.context_tokens()) {
    return {StatusCode::kInvalidArgument,
            Format("prompt has {} tokens; the context has room for {}", prompt_.ids.size(),
                   engine_.context_tokens())};
  }
  AlignState(prompt_.rows, prompt_.rows.size() - 1);
  end_ = prompt_.ids.size();
  result_.prompt_tokens = prompt_.ids.size();
  result_.reused_tokens = live_.length();
  result_.first_token = std::chrono::steady_clock::now() - start;
  return Submit(live_.length());
}

bool ChatSession::Recurrent() const {
  return model_.network().info().recurrent_floats > 0;
}

PromptOptions ChatSession::OptionsOfPrompt() const {
  return {.think = options_.think,
          .bos_text = model_.text().bos_text(),
          .eos_text = model_.text().eos_text(),
          .template_source = model_.template_source()};
}

Result<bool> ChatSession::StartReadAhead(const Conversation& conversation,
                                         const TurnOptions& options) {
  result_ = {};
  cancelled_ = false;
  read_ahead_ = true;
  options_ = options;
  on_event_ = [](const TurnEvent&) { return true; };
  TANDEM_ASSIGN_OR_RETURN(const text::Template* chat_template, model_.chat_template());
  // What stands in front of a further message of the user does not depend on that message.
  Conversation further = conversation;
  further.messages.push_back({{"role", "user"}, {"content", "."}});
  TANDEM_ASSIGN_OR_RETURN(prompt_, MakePrompt(further, *chat_template, OptionsOfPrompt()));
  request_ = Request();
  request_.finish = FinishReason::kRead;
  if (prompt_.borders.size() < 3) {
    return false;
  }
  end_ = prompt_.borders[prompt_.borders.size() - 2];
  if (end_ > engine_.context_tokens()) {
    return false;  // the next turn will say so
  }
  const auto rows = std::span<const TokenId>(prompt_.rows).first(end_);
  AlignState(rows, end_);
  result_.prompt_tokens = end_;
  result_.reused_tokens = live_.length();
  if (live_.length() == end_) {
    return false;
  }
  TANDEM_RETURN_IF_ERROR(Submit(live_.length()));
  return true;
}

Result<std::size_t> ChatSession::FinishReadAhead() {
  TANDEM_CHECK(read_ahead_ && request_.finish != FinishReason::kRunning,
               "reading ahead has not ended");
  if (request_.finish == FinishReason::kError) {
    return request_.error;
  }
  return live_.length() - result_.reused_tokens;
}

// Looks at the pictures first, if there are any.
Result<Prompt> ChatSession::MakePrompt(Conversation conversation,
                                       const text::Template& chat_template,
                                       const PromptOptions& options) {
  TANDEM_ASSIGN_OR_RETURN(const std::vector<MediaSource> media, TakeMedia(conversation));
  const LookWatch watch = {
      .cancel = options_.cancel,
      .on_progress = [this](const MediaSource& source, std::size_t done, std::size_t total) {
        const std::string text = Format("looking at {}", Printable(source.path));
        if (on_event_) {
          on_event_(
              {.kind = TurnEvent::Kind::kPrefill, .text = text, .done = done, .total = total});
        }
      }};
  TANDEM_ASSIGN_OR_RETURN(const auto seen, model_.See(media, watch));
  for (std::size_t i = 0; i < media.size(); ++i) {
    TellSize(media[i], *seen[i]);
  }
  PromptOptions with_media = options;
  with_media.media = seen;
  if (!seen.empty()) {
    with_media.media_merge = model_.eyes()->config().shape.merge;
  }
  return BuildPrompt(chat_template, model_.tokenizer(), std::move(conversation), with_media);
}

// How large the model sees a picture, once.
void ChatSession::TellSize(const MediaSource& source, const EncodedMedia& media) {
  if (std::find(told_.begin(), told_.end(), media.key) != told_.end()) {
    return;
  }
  told_.push_back(media.key);
  const std::string frames =
      media.video ? Format("{} frame pairs of ", media.grid.t) : std::string();
  Emit(TurnEvent::Kind::kNote, Format("{}: {} x {} pixels, seen as {}{} x {} ({} tokens)",
                                      source.path, media.source.width, media.source.height, frames,
                                      media.resized.width, media.resized.height, media.tokens()));
}

Status ChatSession::SettleSampling(const text::Template& chat_template,
                                   const PromptOptions& options) {
  const bool by_default = ThinksByDefault(chat_template, model_.tokenizer(), options);
  TANDEM_ASSIGN_OR_RETURN(result_.sampling,
                          DefaultSampling(model_.file(), result_.thinking, by_default));
  result_.sampling.seed = options_.seed;
  Apply(options_.sampling, result_.sampling);
  const std::size_t vocabulary = model_.network().info().vocabulary;
  TANDEM_RETURN_IF_ERROR(Validate(result_.sampling, vocabulary));
  sampler_ = std::make_unique<Sampler>(result_.sampling, vocabulary, model_.text().unused_tokens());
  sampler_->AcceptPrompt(prompt_.ids);
  return OkStatus();
}

// Leaves in live_ the longest beginning of `rows`, at most `limit` rows, that need not be read
// again.
void ChatSession::AlignState(std::span<const TokenId> rows, std::size_t limit) {
  const std::size_t prefix = std::min(live_.CommonPrefix(rows), limit);
  snapshots_.KeepBeginningsOf(rows);
  if (live_.CanTruncate(prefix)) {
    live_.Truncate(prefix);
    return;
  }
  if (const Sequence* snapshot = snapshots_.Longest(rows, limit); snapshot != nullptr) {
    live_ = snapshot->Fork();
    return;
  }
  live_.Truncate(0);
}

Status ChatSession::Submit(std::size_t begin) {
  const std::size_t end = end_;
  request_ = Request();
  request_.sequence = &live_;
  const auto first = static_cast<std::ptrdiff_t>(begin);
  const auto past = static_cast<std::ptrdiff_t>(end);
  request_.prompt.assign(prompt_.rows.begin() + first, prompt_.rows.begin() + past);
  if (!prompt_.positions.empty()) {
    request_.positions.assign(prompt_.positions.begin() + first, prompt_.positions.begin() + past);
  }
  vectors_ = GatherVectors(prompt_.runs, begin, end);
  if (!vectors_.empty()) {
    request_.vectors_TE =
        Mat<const float>(vectors_.data(), end - begin, vectors_.size() / (end - begin));
  }
  for (const std::size_t border : prompt_.borders) {
    if (border > begin && border < end) {
      request_.borders.push_back(border - begin);
    }
  }
  // A recurrent state is worth a snapshot where this turn's generation prompt begins.
  if (!read_ahead_ && Recurrent() && !prompt_.borders.empty() && prompt_.borders.back() > begin) {
    request_.keep_after = prompt_.borders.back() - begin;
    request_.on_keep = [this](Sequence kept) { snapshots_.Add(std::move(kept)); };
  }
  request_.sampler = read_ahead_ ? nullptr : sampler_.get();
  request_.max_tokens = options_.max_tokens == 0 ? engine_.context_tokens() : options_.max_tokens;
  request_.stop_tokens = model_.text().stop_tokens();
  request_.cancel = options_.cancel;
  request_.on_token = [this](TokenId token) { return OnToken(token); };
  request_.on_progress = [this, begin](std::size_t done, std::size_t total) {
    // A re-read counts its own rows.
    const std::size_t extra = total - std::min(total, end_ - begin);
    const TurnEvent event{.kind = TurnEvent::Kind::kPrefill,
                          .text = {},
                          .done = begin + done,
                          .total = prompt_.ids.size() + extra};
    cancelled_ = !on_event_(event) || cancelled_;
  };
  request_.on_reread = [this](std::size_t tokens) {
    // Still the factors that were left behind. Back to the short ones goes a conversation that was
    // cut, as when an earlier message was changed.
    const bool shorter = live_.state().long_factors;
    std::string note = Format(
        "The conversation is now {} than the length up to which this model reads with its "
        "short rotary factors; its {} tokens are read again with the {} ones.",
        shorter ? "no longer" : "longer", tokens, shorter ? "short" : "long");
    Emit(TurnEvent::Kind::kNote, note);
    result_.notes.push_back(std::move(note));
  };
  return engine_.Submit(request_);
}

bool ChatSession::Emit(TurnEvent::Kind kind, std::string_view text) {
  if (text.empty()) {
    return !cancelled_;
  }
  cancelled_ = !on_event_({.kind = kind, .text = text, .done = 0, .total = 0}) || cancelled_;
  return !cancelled_;
}

bool ChatSession::OnToken(TokenId token) {
  if (request_.generated == 1) {
    result_.first_token += result_.prefill + request_.prefill_time;
  }
  const std::vector<TokenId>& stop = model_.text().stop_tokens();
  if (std::find(stop.begin(), stop.end(), token) != stop.end()) {
    return true;
  }
  const SplitText piece = splitter_->Push(token);
  result_.reasoning += piece.reasoning;
  Emit(TurnEvent::Kind::kReasoning, piece.reasoning);
  const std::string answer = stops_->Push(piece.answer);
  result_.answer += answer;
  Emit(TurnEvent::Kind::kAnswer, answer);
  return !cancelled_ && !stops_->matched();
}

void ChatSession::AddFigures() {
  result_.prefill += request_.prefill_time;
  result_.decode += request_.decode_time;
  result_.generated_tokens += request_.generated;
}

// What the steps since the last check computed may come from two different models.
void ChatSession::CheckFile() {
  Status unchanged = model_.CheckFile();
  if (!unchanged.ok()) {
    engine_.Cancel(request_);
    request_.finish = FinishReason::kError;
    request_.error = std::move(unchanged);
  }
}

bool ChatSession::Advance() {
  if (request_.finish == FinishReason::kRunning) {
    CheckFile();
  }
  if (cancelled_ && request_.finish == FinishReason::kRunning) {
    engine_.Cancel(request_);
  }
  if (request_.finish == FinishReason::kRunning) {
    return false;
  }
  AddFigures();
  if (read_ahead_ && request_.finish == FinishReason::kRead && Recurrent()) {
    snapshots_.Add(live_.Fork());
  }
  return true;
}

Result<TurnResult> ChatSession::Finish() {
  TANDEM_CHECK(request_.finish != FinishReason::kRunning, "the turn has not ended");
  if (request_.finish == FinishReason::kError) {
    return request_.error;
  }
  const SplitText rest = splitter_->Flush();
  result_.reasoning += rest.reasoning;
  Emit(TurnEvent::Kind::kReasoning, rest.reasoning);
  const std::string answer =
      stops_->matched() ? std::string() : stops_->Push(rest.answer) + stops_->Flush();
  result_.answer += answer;
  Emit(TurnEvent::Kind::kAnswer, answer);
  result_.finish = cancelled_ ? FinishReason::kCancelled : request_.finish;
  result_.stopped_by_string = stops_->matched();
  result_.reasoning_tokens = splitter_->reasoning_tokens();
  result_.answer_tokens = splitter_->answer_tokens();
  return std::move(result_);
}

void ChatSession::Reset() {
  live_.Truncate(0);
  snapshots_.Clear();
}

}  // namespace tandem
