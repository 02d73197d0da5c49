#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "chat/answer_format.h"
#include "chat/conversation.h"
#include "chat/loaded_model.h"
#include "chat/prompt.h"
#include "chat/sampling_defaults.h"
#include "chat/snapshots.h"
#include "chat/stop_strings.h"
#include "chat/stream_splitter.h"
#include "chat/tool_call_parser.h"
#include "runtime/engine.h"
#include "runtime/loop_detector.h"

namespace tandem {

struct TurnOptions {
  SamplingOverrides sampling;
  ThinkMode think = ThinkMode::kDefault;
  std::size_t max_tokens = 2048;  // 0: until the context is full
  std::vector<std::string> stop;
  std::uint64_t seed = 0;  // used unless `sampling` sets one
  /// What the answer must be: grammar::CompileFormat's argument; empty: anything.
  std::string format = {};
  bool loop_check = true;  // ends an answer that repeats itself without end
  /// Definitions (ParseToolDefinitions); empty: those of the conversation, if it has any.
  std::string tools = {};
  /// Tokens of thinking after which it is closed; 0: no thinking.
  std::optional<std::size_t> think_budget = {};
  /// The answer begins with these tokens, whatever the model would say.
  std::vector<TokenId> forced = {};
  const std::atomic<bool>* cancel = nullptr;
};

struct TurnEvent {
  enum class Kind {
    kPrefill,
    kReasoning,
    kAnswer,
    kNote,
    kCallBegins,  // `text`: the name
    kArguments,   // a piece of the JSON text
    kCallEnds,    // `call`
  };
  Kind kind = Kind::kAnswer;
  std::string_view text;
  std::size_t done = 0;
  std::size_t total = 0;
  const ParsedCall* call = nullptr;
};

/// One answer with its counts and the time of the model's own steps.
struct TurnResult {
  std::string answer;
  std::string reasoning;
  FinishReason finish = FinishReason::kRunning;
  bool stopped_by_string = false;
  bool looped = false;  // stopped because it repeated itself
  std::vector<ParsedCall> calls;
  bool thinking_cut = false;  // by the budget
  bool thinking = false;
  SamplingOptions sampling;  // effective
  std::vector<std::string> notes;
  std::size_t prompt_tokens = 0;
  std::size_t reused_tokens = 0;
  std::size_t reasoning_tokens = 0;
  std::size_t answer_tokens = 0;
  std::size_t generated_tokens = 0;  // sampled, control tokens included
  std::chrono::duration<double> first_token{};
  std::chrono::duration<double> prefill{};
  std::chrono::duration<double> decode{};
};

/// One conversation on one engine. A turn is started, then the engine is stepped by whoever owns
/// it, with Advance after each step, until Advance says that the turn has ended: so several
/// sessions and several engines can take turns. What the model has read is kept from turn to turn
/// up to the longest common prefix; a recurrent state cannot go back, so snapshots from before the
/// generation prompts (which history never repeats, models.md 8.1) and from the ends of turns are
/// kept as well, as many as a budget of bytes allows. Single-threaded; model and engine must
/// outlive it.
class ChatSession {
 public:
  using Callback = std::function<bool(const TurnEvent&)>;

  /// snapshot_budget: bytes of all snapshots; one is kept whatever it takes.
  ChatSession(const LoadedModel& model, Engine& engine, std::uint64_t snapshot_budget = 0)
      : model_(model),
        engine_(engine),
        live_(engine.NewSequence()),
        snapshots_(model.network().info().recurrent_floats * sizeof(float), snapshot_budget) {}
  ChatSession(const ChatSession&) = delete;
  ChatSession& operator=(const ChatSession&) = delete;

  /// Renders and encodes the whole conversation and queues what is not read yet. Errors of
  /// BuildPrompt, Validate and Engine::Submit; nothing is queued then.
  Status Start(const Conversation& conversation, const TurnOptions& options, Callback on_event);
  /// Queues what the next turn will find in front of its message and the model has not read: the
  /// last answer in its history form, without thinking and generation prompt. True when there is
  /// something to read: then Advance and FinishReadAhead as for a turn. `conversation` ends with
  /// the answer. Errors of Start.
  Result<bool> StartReadAhead(const Conversation& conversation, const TurnOptions& options);
  /// To be called after each step of the engine while a turn or reading ahead runs; true when it
  /// has ended. It ends with an error (Io) when somebody has changed the model's file.
  bool Advance();
  /// The ended turn.
  Result<TurnResult> Finish();
  /// The rows that were read ahead; fewer than asked for when it was cancelled.
  Result<std::size_t> FinishReadAhead();
  /// Forgets everything that was read.
  void Reset();

  /// Rows that the model has read, snapshots included in none.
  std::size_t tokens_read() const { return live_.length(); }
  const Snapshots& snapshots() const { return snapshots_; }

 private:
  Status SettleSampling(const text::Template& chat_template, const PromptOptions& options);
  Result<Prompt> MakePrompt(Conversation conversation, const text::Template& chat_template,
                            const PromptOptions& options);
  void TellSize(const MediaSource& source, const EncodedMedia& media);
  bool Recurrent() const;
  PromptOptions OptionsOfPrompt() const;
  void AlignState(std::span<const TokenId> rows, std::size_t limit);
  Status Submit(std::size_t begin);
  Status SettleFormat();
  bool Watch(TokenId token);
  void TellIncompleteFormat();
  Status SettleTools(Conversation& conversation);
  void SettleThinkBudget(const text::Template& chat_template);
  bool OnToken(TokenId token);
  void Deliver(const SplitText& piece);
  void DeliverAnswer(std::string_view text);
  void DeliverToolEvents();
  void CloseThinkingIfDue();
  bool Emit(TurnEvent::Kind kind, std::string_view text);
  bool EmitEvent(const TurnEvent& event);
  void AddFigures();
  void CheckFile();

  const LoadedModel& model_;
  Engine& engine_;
  Sequence live_;
  Snapshots snapshots_;

  std::vector<std::uint64_t> told_;  // pictures whose size the user knows

  // Of the turn under way.
  Prompt prompt_;
  TurnOptions options_;
  Callback on_event_;
  std::unique_ptr<Sampler> sampler_;
  std::unique_ptr<StreamSplitter> splitter_;
  std::unique_ptr<StopStrings> stops_;
  std::unique_ptr<AnswerFormat> format_;  // kept while turns ask for the same; null without one
  LoopDetector loop_;
  ToolSchemas tools_;
  std::unique_ptr<ToolCallParser> calls_;  // null without tools
  std::vector<ToolEvent> tool_events_;
  std::vector<TokenId> last_thought_;  // closes thinking, with a line that says so
  std::vector<TokenId> think_end_;     // closes it
  Request request_;
  std::vector<float> vectors_;  // of the pictures in the rows that request_ reads
  std::size_t end_ = 0;         // of the rows that are to be read
  bool read_ahead_ = false;
  bool cancelled_ = false;  // by the callback
  TurnResult result_;
};

}  // namespace tandem
