#include "chat/chat_session.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "chat/media.h"

namespace tandem {
namespace {

// Qwen's documented way to end thinking early; Phi-4-mini-reasoning has the same tags.
constexpr std::string_view kLastThought =
    "\n\nConsidering the limited time by the user, I have to give the solution based on the "
    "thinking "
    "directly now.\n</think>\n\n";
constexpr std::string_view kThinkEnd = "\n</think>\n\n";

// Calls in the conversation so far, for the number of the next.
std::size_t CountCalls(const Json& messages) {
  std::size_t count = 0;
  for (const Json& message : messages) {
    const auto calls = message.find("tool_calls");  // none in what is not an object
    count += calls != message.end() && calls->is_array() ? calls->size() : 0;
  }
  return count;
}

}  // namespace

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
  SettleThinkBudget(*chat_template);
  const PromptOptions prompt_options = OptionsOfPrompt();
  Conversation with_tools = conversation;
  TANDEM_RETURN_IF_ERROR(SettleTools(with_tools));
  TANDEM_ASSIGN_OR_RETURN(prompt_,
                          MakePrompt(std::move(with_tools), *chat_template, prompt_options));
  if (!options_.format.empty() && options_.think == ThinkMode::kOff) {
    prompt_.opens_reasoning = false;  // the format does not let it
  }
  result_.thinking = prompt_.thinks();
  TANDEM_RETURN_IF_ERROR(SettleSampling(*chat_template, prompt_options));
  splitter_ = std::make_unique<StreamSplitter>(model_.tokenizer(), prompt_.starts_in_reasoning);
  stops_ = std::make_unique<StopStrings>(options.stop);
  loop_ = LoopDetector();
  TANDEM_RETURN_IF_ERROR(SettleFormat());
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

// Puts the definitions into the conversation, and a reader of calls into place.
Status ChatSession::SettleTools(Conversation& conversation) {
  if (!options_.tools.empty()) {
    TANDEM_ASSIGN_OR_RETURN(conversation.tools, ParseToolDefinitions(options_.tools, "tools"));
  }
  tools_ = ToolSchemas(conversation.tools);
  calls_.reset();
  if (!tools_.empty() && options_.format.empty()) {  // a format says what the answer is
    calls_ = std::make_unique<ToolCallParser>(tools_, ToolMarks::Of(model_.tokenizer()),
                                              CountCalls(conversation.messages) + 1);
  }
  return OkStatus();
}

void ChatSession::SettleThinkBudget(const text::Template& chat_template) {
  last_thought_.clear();
  think_end_.clear();
  if (!options_.think_budget.has_value()) {
    return;
  }
  // A template that can leave thinking out does it best.
  if (*options_.think_budget == 0 && chat_template.Mentions("enable_thinking")) {
    options_.think = ThinkMode::kOff;
  }
  last_thought_ = model_.tokenizer().EncodeSpecial(kLastThought);
  think_end_ = model_.tokenizer().EncodeSpecial(kThinkEnd);
}

bool ChatSession::Recurrent() const {
  return model_.network().info().recurrent_floats > 0;
}

PromptOptions ChatSession::OptionsOfPrompt() const {
  return {.think = options_.think,
          .bos_text = model_.text().bos_text(),
          .eos_text = model_.text().eos_text(),
          .template_source = model_.template_source(),
          .opens_thinking = model_.opens_thinking()};
}

Result<bool> ChatSession::StartReadAhead(const Conversation& conversation,
                                         const TurnOptions& options) {
  result_ = {};
  cancelled_ = false;
  read_ahead_ = true;
  options_ = options;
  on_event_ = [](const TurnEvent&) { return true; };
  TANDEM_RETURN_IF_ERROR(model_.CheckFile());
  TANDEM_ASSIGN_OR_RETURN(const text::Template* chat_template, model_.chat_template());
  // What stands in front of a further message of the user does not depend on that message.
  // After calls it is a result, which keeps the thinking in front of them (models.md 8.1).
  Conversation further = conversation;
  TANDEM_RETURN_IF_ERROR(SettleTools(further));
  const Json& last = further.messages.back();
  const bool calls = last.contains("tool_calls") && !last["tool_calls"].empty();
  further.messages.push_back({{"role", calls ? "tool" : "user"}, {"content", "."}});
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
  if (!read_ahead_) {
    request_.forced = options_.forced;
    CloseThinkingIfDue();  // without a budget there may be nothing to think
  }
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
  return text.empty() ? !cancelled_
                      : EmitEvent({.kind = kind, .text = text, .done = 0, .total = 0});
}

bool ChatSession::EmitEvent(const TurnEvent& event) {
  cancelled_ = !on_event_(event) || cancelled_;
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
  const ToolMarks::Mark* mark = calls_ == nullptr ? nullptr : calls_->marks().Find(token);
  // A closing mark in the midst of thinking is no structure.
  if (mark != nullptr && (mark->opens || !splitter_->in_reasoning())) {
    Deliver(splitter_->PushMark());
    calls_->PushMark(*mark, tool_events_);
    DeliverToolEvents();
  } else {
    Deliver(splitter_->Push(token));
  }
  CloseThinkingIfDue();
  return Watch(token) && !cancelled_ && !stops_->matched();
}

void ChatSession::Deliver(const SplitText& piece) {
  result_.reasoning += piece.reasoning;
  Emit(TurnEvent::Kind::kReasoning, piece.reasoning);
  if (calls_ == nullptr) {
    DeliverAnswer(stops_->Push(piece.answer));
  } else {
    calls_->Push(piece.answer, tool_events_);
    DeliverToolEvents();
  }
}

Status ChatSession::SettleFormat() {
  if (options_.format.empty()) {
    format_.reset();
    return OkStatus();
  }
  if (format_ == nullptr || format_->format() != options_.format) {
    TANDEM_ASSIGN_OR_RETURN(format_, AnswerFormat::Create(options_.format, model_));
  }
  format_->Start(prompt_.starts_in_reasoning ? AnswerStart::kThinking
                 : prompt_.opens_reasoning   ? AnswerStart::kEither
                                             : AnswerStart::kValue);
  sampler_->Restrict(format_->allowed());
  return OkStatus();
}

// False when the answer must not go on: its value is whole, or it only repeats itself.
bool ChatSession::Watch(TokenId token) {
  if (format_ != nullptr) {
    format_->OnToken(token, splitter_->in_reasoning());
    sampler_->Restrict(format_->allowed());
    if (format_->must_end()) {
      return false;
    }
  }
  result_.looped = options_.loop_check && loop_.Push(token);
  return !result_.looped;
}

void ChatSession::TellIncompleteFormat() {
  if (format_ == nullptr || format_->complete()) {
    return;
  }
  std::string note = format_->thinking() ? "The answer ended while thinking: there is no JSON."
                                         : "The answer was cut: its JSON is incomplete.";
  Emit(TurnEvent::Kind::kNote, note);
  result_.notes.push_back(std::move(note));
}

void ChatSession::DeliverAnswer(std::string_view text) {
  result_.answer += text;
  Emit(TurnEvent::Kind::kAnswer, text);
}

void ChatSession::DeliverToolEvents() {
  for (ToolEvent& event : std::exchange(tool_events_, {})) {
    if (stops_->matched()) {
      return;
    }
    switch (event.kind) {
      case ToolEvent::Kind::kText:
        DeliverAnswer(stops_->Push(event.text));
        break;
      case ToolEvent::Kind::kCallBegins:
        DeliverAnswer(stops_->Flush());  // no stop string reaches across a call
        EmitEvent({.kind = TurnEvent::Kind::kCallBegins, .text = event.text});
        break;
      case ToolEvent::Kind::kArguments:
        EmitEvent({.kind = TurnEvent::Kind::kArguments, .text = event.text});
        break;
      case ToolEvent::Kind::kCallEnds:
        result_.calls.push_back(std::move(event.call));
        EmitEvent({.kind = TurnEvent::Kind::kCallEnds, .text = {}, .call = &result_.calls.back()});
        break;
    }
  }
}

// Thinking that has used up its budget is ended by tokens that the model did not choose, but not in
// the midst of a character or tag. A block that opens anew gets no further last line.
void ChatSession::CloseThinkingIfDue() {
  if (!options_.think_budget.has_value() || !splitter_->in_reasoning() || !splitter_->settled() ||
      !request_.forced.empty() || splitter_->reasoning_tokens() < *options_.think_budget) {
    return;
  }
  const bool silent = *options_.think_budget == 0 || result_.thinking_cut;
  request_.forced = silent ? think_end_ : last_thought_;
  result_.thinking_cut = *options_.think_budget > 0;
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
  Deliver(splitter_->Flush());
  if (calls_ != nullptr) {
    calls_->Flush(tool_events_);
    DeliverToolEvents();
  }
  if (!stops_->matched()) {
    DeliverAnswer(stops_->Flush());
  }
  result_.finish = cancelled_ ? FinishReason::kCancelled : request_.finish;
  result_.stopped_by_string = stops_->matched();
  result_.reasoning_tokens = splitter_->reasoning_tokens();
  result_.answer_tokens = splitter_->answer_tokens();
  TellIncompleteFormat();
  return std::move(result_);
}

void ChatSession::Reset() {
  live_.Truncate(0);
  snapshots_.Clear();
}

}  // namespace tandem
