#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/status.h"

#if defined(__GNUC__)
#define TANDEM_API __attribute__((visibility("default")))  // what the shared library exports
#else
#define TANDEM_API
#endif

/// Tandem's C++ API: open a model, hold a conversation with it, compare several models on the same
/// conversation.
///
///     auto model = tandem::Model::Open("qwen3.5:demo", {});
///     tandem::Session session(*model);
///     session.Add({.role = "user", .content = "Hello"});
///     auto answer = session.Generate({}, [](const tandem::Event& e) { std::cout << e.text; return
///     true; });
///
/// Conventions: sizes in bytes, times in seconds, lengths in tokens unless a name says otherwise.
/// Text is UTF-8. Errors are Status values (status.h); what returns none may throw std::bad_alloc.
namespace tandem {

/// How a model is opened.
struct OpenOptions {
  /// Longest conversation. 0: the model's own limit, lowered to what memory allows
  /// (ModelFacts::notes says so). A value that cannot fit in memory is refused with the numbers;
  /// one above the model's limit too.
  std::size_t context_tokens = 0;
  /// 0: the physical cores that this process may use.
  std::size_t threads = 0;
  /// Threads other than the one that generates stay on a core each. Helps when nothing else runs,
  /// harms when something does.
  bool pin_threads = false;
  /// Instruction set: auto, scalar, avx2, avx512vnni, amx, neon.
  std::string isa = "auto";
  /// Number format of cached keys and values: f32, f16, bf16, q8_0, q4_0.
  std::string kv = "f16";
  /// Vision file (mmproj) of a model that can see. Empty: the tower inside the model's own file, or
  /// a file beside it that fits and has "mmproj" in its name. Ignored by models that cannot see.
  std::string mmproj = "";
  /// Least and most pixels of a picture, and of all frames of a clip together, as the model sees
  /// them; unset: what the vision file, or the preprocessor configs beside it, say.
  std::optional<std::pair<std::uint64_t, std::uint64_t>> image_pixels = {};
  std::optional<std::pair<std::uint64_t, std::uint64_t>> video_pixels = {};
  /// At most so many tokens for each picture, which lowers the most pixels; 0: no such limit.
  std::size_t image_tokens = 0;
  /// Fetch pictures and clips from http and https addresses, up to 64 MiB and a minute for a
  /// picture, 256 MiB and five minutes for a clip. Never from an address that is not public (this
  /// machine, the local network), at whatever step of a redirect, unless that is allowed too.
  bool allow_url = false;
  bool allow_private_url = false;
};

/// What is known of an opened model.
struct ModelFacts {
  std::string name;          // as it was opened
  std::string architecture;  // "qwen35", "phi3"
  std::string quantisation;  // "Q4_K_M" as the file says
  std::uint64_t parameters = 0;
  std::uint64_t file_bytes = 0;
  std::size_t context_tokens = 0;  // of this opening
  std::size_t context_limit = 0;   // of the model
  std::uint64_t kv_bytes_per_token = 0;
  std::uint64_t state_bytes = 0;  // fixed state of one conversation
  std::string isa;
  std::size_t threads = 0;
  std::string kv;
  bool has_thinking_switch = false;  // its template looks at enable_thinking
  bool sees_images = false;          // pictures and clips may be in messages
  std::vector<std::string> notes;    // what the user should be told, a line each
};

enum class Thinking {
  kDefault,  // the soft switch in the conversation decides, else the model's template
  kOn,
  kOff,
};

/// A loaded network with its tokenizer and chat template. A handle: copies share the model.
/// Thread-safe; sessions of one model may generate on several threads, they advance together.
/// Every call, turn and step looks first whether somebody has cut or written to the model's file,
/// which is mapped, and fails with Io then. A page that is cut off after that raises SIGBUS when it
/// is read; the library handles no signals.
class TANDEM_API Model {
 public:
  /// name: path of a GGUF file, a built-in name ("qwen3.5:demo", "phi4-mini:demo") or the name of a
  /// model that is on this machine ("qwen3.5:4b", "hf.co/OWNER/REPO:QUANT"); nothing is downloaded.
  /// NotFound, Corrupt, Unsupported, InvalidArgument or OutOfMemory, each with one line that names
  /// what, where and the numbers.
  static Result<Model> Open(const std::string& name, const OpenOptions& options);

  const ModelFacts& facts() const;

  /// The token ids of a text. special: added tokens in it are tokens; otherwise they are plain
  /// text. InvalidArgument when it is not UTF-8.
  Result<std::vector<std::int32_t>> Tokenize(std::string_view text, bool special) const;
  /// The text of token ids, added tokens spelt out; bytes that are no UTF-8 become U+FFFD.
  /// InvalidArgument names an id outside the vocabulary.
  Result<std::string> Detokenize(std::span<const std::int32_t> ids) const;
  /// The prompt that the model's chat template makes of a conversation, generation prompt
  /// included. conversation_json: as ParseMessages takes it, perhaps with "tools". Errors of
  /// ParseMessages; NotFound without a template; InvalidArgument with class, line and column when
  /// the template refuses the conversation.
  Result<std::string> Render(std::string_view conversation_json, Thinking thinking) const;

  struct Impl;
  const std::shared_ptr<Impl>& impl() const { return impl_; }

 private:
  explicit Model(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

/// What a model takes when it is opened in a way, in bytes; the cache filled to the context.
struct MemoryPlan {
  std::size_t context_tokens = 0;
  std::uint64_t weights = 0;  // the mapped file, which counts once its pages have been read
  std::uint64_t cache = 0;    // keys and values
  std::uint64_t state = 0;    // fixed state of one conversation and its snapshot
  std::uint64_t working = 0;  // buffers of a step
  std::uint64_t vision = 0;   // the vision file, and looking at the largest picture
  std::uint64_t program = 0;  // the program itself and the tokenizer
  std::uint64_t total = 0;
  std::uint64_t available = 0;             // of this machine now, the cgroup's limit included
  std::size_t largest_context_tokens = 0;  // that fits; 0: none does
  std::size_t context_limit = 0;           // of the model
};

/// Plans an opening without making it: the numbers by which Model::Open decides. Without
/// options.context_tokens the context is the one that Open would take, or the least one when that
/// does not fit either. Errors of Model::Open but OutOfMemory.
TANDEM_API Result<MemoryPlan> PlanModel(const std::string& name, const OpenOptions& options);

/// The names of the models that are built into the program.
TANDEM_API std::vector<std::string> BuiltinModels();

/// A piece of a message: text, or a picture or clip to look at.
struct ContentPart {
  enum class Kind { kText, kImage, kVideo };
  Kind kind = Kind::kText;
  /// The text; or a path, a file: URL, a data: URL with base64, or an http or https URL (see
  /// OpenOptions::allow_url). Pictures: PNG, JPEG, WebP. Clips: whatever the system's ffmpeg reads.
  std::string value = "";
};

/// A call of a tool that a model makes.
struct ToolCall {
  std::string id = "";    // "call_1", counted through the conversation
  std::string name = "";  // of the tool; empty when the answer ended before it
  /// Text of a JSON object, values in the types of the tool's schema. Of a call that is not
  /// complete those that could be read whole.
  std::string arguments = "{}";
  bool complete = true;  // false: cut off, or not well-formed; `raw` has what was written
  std::string raw = "";  // as the model wrote it
};

struct Message {
  std::string role;  // "system", "user", "assistant", "tool" (a result)
  std::string content;
  std::string reasoning;  // of an assistant message
  /// When not empty, what is said instead of `content`, in this order.
  std::vector<ContentPart> parts = {};
  std::vector<ToolCall> tool_calls = {};  // of an assistant message
  std::string tool_call_id = "";          // of a tool message: which call it is the result of
  std::string name = "";                  // of a tool message: of the tool
};

/// Conversations in JSON: an array of {"role", "content"} objects, or {"messages": [...]}. Content
/// is a string, or a list of parts {"type": "text", "text": ..}, {"type": "image", "image": ..},
/// {"type": "video", "video": ..}, or {"type": "image_url", "image_url": {"url": ..}}. Calls of
/// tools stand under "tool_calls" as {"id", "function": {"name", "arguments"}}, the arguments as an
/// object or as a string that holds one; a result is a message of the role tool, with
/// "tool_call_id". Errors name index and field.
TANDEM_API Result<std::vector<Message>> ParseMessages(std::string_view json);

/// Definitions of tools in JSON, for GenerateOptions::tools: a list, or the "tools" of an object,
/// of
/// {"type": "function", "function": {"name", "description", "parameters"}} or of the inner objects
/// alone. Empty when there are none. Errors name index and field.
TANDEM_API Result<std::string> ParseTools(std::string_view json);

/// What is set replaces the recommended value of the model and its thinking mode.
struct Sampling {
  std::optional<float> temperature;  // 0: always the most likely token
  std::optional<std::size_t> top_k;  // 0: all
  std::optional<float> top_p;
  std::optional<float> min_p;
  std::optional<float> typical_p;
  std::optional<float> repetition_penalty;  // over prompt and generated tokens
  std::optional<float> presence_penalty;    // over generated tokens
  std::optional<float> frequency_penalty;   // over generated tokens
  std::vector<std::pair<std::int32_t, float>> logit_bias;
  std::optional<std::uint64_t> seed;  // unset: a new one each time, reported in Answer
};

struct GenerateOptions {
  Sampling sampling;
  Thinking thinking = Thinking::kDefault;
  std::size_t max_tokens = 2048;  // reasoning included; 0: until the context is full
  std::vector<std::string> stop;  // strings that end the answer, not part of it
  const std::atomic<bool>* cancel =
      nullptr;  // set to true from anywhere (a signal handler too) to stop
  /// What the answer must be, the thinking aside: "json" (a JSON object), or the text of a JSON
  /// Schema of the subset in docs/structured-output.md. Empty: anything. A schema that is malformed
  /// or outside the subset is an error that names the JSON pointer and the keyword. With a
  /// format no tool is called.
  std::string format = "";
  /// Ends an answer, or its thinking, that repeats one passage without end: at least four times and
  /// for at least 1,024 tokens.
  bool loop_check = true;
  /// Definitions of the tools that may be called, as ParseTools takes them; the chat template tells
  /// the model of them. Empty: none, and what looks like a call is text.
  std::string tools = "";
  /// After so many tokens of thinking the model is made to write that its time is up, and answers.
  /// 0: no thinking. Unset: as long as it likes.
  std::optional<std::size_t> think_budget = {};
};

/// Something happened while an answer is made.
struct Event {
  enum class Kind {
    /// done of total prompt tokens are read; or, with a text such as "looking at cat.png", done of
    /// total layers of a picture's way.
    kPrefill,
    kReasoning,      // a piece of reasoning text
    kAnswer,         // a piece of the answer
    kNote,           // something the user should see, e.g. that a long conversation is read anew
    kToolCall,       // a call begins; `text` is the tool's name
    kToolArguments,  // a piece of the JSON text of its arguments
    kToolCallEnd,    // the call is whole, or was cut off: `call`
  };
  Kind kind = Kind::kAnswer;
  std::string_view text;  // whole UTF-8 characters; valid during the call
  std::size_t done = 0;
  std::size_t total = 0;
  const ToolCall* call = nullptr;  // valid during the call
};

/// Called on the generating thread; false stops the answer, as cancelling does.
using EventCallback = std::function<bool(const Event&)>;

enum class Finish {
  kStop,     // the model ended its turn, or a stop string came
  kLength,   // max_tokens
  kContext,  // the conversation is as long as the context
  kCancelled,
  kLoop,       // it repeated itself without end (GenerateOptions::loop_check)
  kToolCalls,  // the model ended its turn with calls of tools
};

/// Counts and times of one answer; times are of this model's own steps.
struct Figures {
  std::size_t prompt_tokens = 0;      // of the whole conversation
  std::size_t reused_tokens = 0;      // of them, read in an earlier turn or ahead
  std::size_t read_ahead_tokens = 0;  // read by ReadAhead since the turn before
  std::size_t reasoning_tokens = 0;
  std::size_t answer_tokens = 0;
  double first_token_seconds = 0;  // from the start to the first sampled token
  double prefill_seconds = 0;
  double decode_seconds = 0;
  double prefill_tokens_per_second = 0;  // of the tokens that were read
  double decode_tokens_per_second = 0;   // of the tokens after the first
  std::uint64_t memory_bytes = 0;        // weights, working memory, cache and state of this model
};

struct Answer {
  std::string text;
  std::string reasoning;
  Finish finish = Finish::kStop;
  bool thinking = false;                  // the effective state
  bool thinking_cut = false;              // GenerateOptions::think_budget ended it
  std::vector<ToolCall> tool_calls = {};  // in order
  std::uint64_t seed = 0;
  /// The effective settings, all set.
  Sampling sampling;
  Figures figures;
  std::vector<std::string> notes;
};

/// What a session holds besides its model.
struct SessionMemory {
  std::size_t tokens = 0;             // that the model has read and keeps
  std::uint64_t cache_bytes = 0;      // their keys and values
  std::uint64_t state_bytes = 0;      // fixed state
  std::size_t snapshots = 0;          // points to which an edit or a new answer can go back
  std::uint64_t snapshot_bytes = 0;   // of all of them
  std::uint64_t snapshot_budget = 0;  // at most; one is kept whatever it takes
};

/// One conversation with one model. Keeps what the model has read, so that a further turn reads
/// only what is new. Move-only; one thread at a time.
class TANDEM_API Session {
 public:
  explicit Session(const Model& model);
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  void Add(Message message);
  /// Takes the last message back, for instance one that could not be answered. What the model has
  /// read is kept as far as the next turn repeats it. There must be a message.
  void RemoveLast();
  const std::vector<Message>& messages() const;
  /// Forgets the conversation.
  void Clear();

  /// Answers the conversation so far, which must end with a user (or tool) message, and appends the
  /// answer to it. A cancelled answer is appended as far as it came; an error appends nothing.
  /// Pictures and clips are looked at first (a kNote event tells how large each is seen), once:
  /// what was seen is remembered by its content. Unsupported when the model cannot see and a
  /// message has a picture; the errors of reading one name it.
  Result<Answer> Generate(const GenerateOptions& options, const EventCallback& on_event);

  /// To be called between an answer and the next message, for instance while a person types: reads
  /// the last answer as the next turn will find it in front of its message, without the thinking
  /// and the generation prompt, so that the turn reads its own message alone. Returns the tokens
  /// read; 0 when there is nothing to do. cancel: as in GenerateOptions; what is not read then, the
  /// next turn reads.
  Result<std::size_t> ReadAhead(const std::atomic<bool>* cancel = nullptr);

  SessionMemory memory() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// One side of a comparison.
struct CompareColumn {
  std::string model;  // as for Model::Open
  std::string label;  // shown above the column
  OpenOptions open;
  GenerateOptions options;
};

/// An answer, or the error that stands in its place.
struct ColumnResult {
  ModelFacts facts;
  Answer answer;
  Status error;
};

using CompareCallback = std::function<bool(std::size_t column, const Event&)>;

/// Several models on the same conversations. They take turns step by step and never compute at
/// once, so every figure counts a model's own steps; models that do not fit in memory together are
/// run one after the other. Move-only; one thread at a time.
class TANDEM_API Comparison {
 public:
  /// Opens the columns' models; columns of the same model and opening share it. A model that cannot
  /// be opened is an error of the whole comparison.
  static Result<Comparison> Open(std::vector<CompareColumn> columns);
  Comparison(Comparison&&) noexcept;
  Comparison& operator=(Comparison&&) noexcept;
  ~Comparison();

  const std::vector<CompareColumn>& columns() const;
  /// False when memory forces one model after the other; notes() says so with the numbers.
  bool together() const;
  const std::vector<std::string>& notes() const;

  /// Answers `messages` once per column, each from an empty conversation. seed: the same for all
  /// columns unless a column's own options set one.
  std::vector<ColumnResult> Run(const std::vector<Message>& messages, std::uint64_t seed,
                                const CompareCallback& on_event);

  /// One more turn of a conversation of its own with each column: `message` is added to all of
  /// them, and to each the answer of its column. A column that fails has its error in its place,
  /// and its conversation stays as it was.
  std::vector<ColumnResult> Continue(const Message& message, std::uint64_t seed,
                                     const CompareCallback& on_event);
  /// As Continue, with further messages for each column, as many lists as columns: the results of
  /// the tools that each has called. A column without any takes no turn, and its result has neither
  /// answer nor error.
  std::vector<ColumnResult> ContinueEach(const std::vector<std::vector<Message>>& messages,
                                         std::uint64_t seed, const CompareCallback& on_event);
  /// The conversation of a column that Continue holds.
  const std::vector<Message>& messages(std::size_t column) const;
  /// GenerateOptions::format of all columns, from the next answers on.
  void SetFormat(const std::string& format);
  /// GenerateOptions::tools of all columns, from the next answers on.
  void SetTools(const std::string& tools);
  /// Begins the conversations that Continue holds anew, with these messages.
  void Restart(const std::vector<Message>& messages);

 private:
  struct Impl;
  explicit Comparison(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tandem
