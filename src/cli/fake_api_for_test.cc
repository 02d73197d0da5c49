// A stand-in for the library behind tandem.h: answers that depend on the prompt alone, so that
// tests can look at what the terminal shows. Words of the prompt ask for behaviour:
//   wide    an answer of wide characters and emoji
//   long    an answer of many lines
//   slow    a pause before every step
//   read    a prompt that takes long to read
//   fail    no answer, but an error
//   escape  an answer with control characters
//   tool    a call of a tool, when there are definitions
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tandem/tandem.h"

#include "base/format.h"
#include "io/json.h"
#include "store/builtin.h"

namespace tandem {

struct Model::Impl {
  ModelFacts facts;
};

namespace {

bool Has(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}

// The steps of one answer.
class Script {
 public:
  Script(const std::string& model, const std::string& prompt, const GenerateOptions& options)
      : options_(options), pause_(Has(prompt, "slow") ? 30 : 0) {
    thinks_ = options.thinking == Thinking::kOn ||
              (options.thinking == Thinking::kDefault && Has(model, "qwen"));
    read_steps_ = Has(prompt, "read") ? 40 : 1;
    const std::string reasoning =
        "The person asks something. I weigh the words, one by one, and "
        "then I am sure.";
    if (thinks_) {
      Split(reasoning, reasoning_);
    }
    if (Has(prompt, "wide")) {
      Split(
          "日本語の文章は、単語の間に空白がありません。 Grüße an "
          "👩‍🚀 "
          "und "
          "🇯🇵 "
          "und "
          "❤️ "
          "一二三四五六七八九十一二三四五六七八九十。\n\n| 表 | 値 |\n|---|---|\n",
          answer_);
    } else if (Has(prompt, "escape")) {
      Split("red \x1b[31m and clear \x1b[2J end", answer_);
    } else if (Has(prompt, "long")) {
      for (int i = 1; i <= 60; ++i) {
        Split(Format("Line {} of {} says that a model has much to say about it.\n", i, model),
              answer_);
      }
    } else {
      Split(Format("{} answers: {}", model, prompt), answer_);
    }
    calls_ = Has(prompt, "tool") && !options.tools.empty();
  }

  // One step; false when there is no further one.
  bool Step(const EventCallback& on_event) {
    if (pause_ > 0 || read_ < read_steps_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(read_steps_ > 1 ? 30 : pause_));
    }
    Event event;
    if (read_ < read_steps_) {
      ++read_;
      event = {.kind = Event::Kind::kPrefill,
               .text = "",
               .done = 100 * read_,
               .total = 100 * read_steps_};
    } else if (reasoned_ < reasoning_.size()) {
      event = {
          .kind = Event::Kind::kReasoning, .text = reasoning_[reasoned_++], .done = 0, .total = 0};
    } else if (answered_ < answer_.size()) {
      event = {.kind = Event::Kind::kAnswer, .text = answer_[answered_++], .done = 0, .total = 0};
    }
    const bool cancelled = options_.cancel != nullptr && options_.cancel->load();
    if (cancelled || (on_event && !on_event(event))) {
      finish_ = Finish::kCancelled;
      return false;
    }
    if (options_.max_tokens != 0 && reasoned_ + answered_ >= options_.max_tokens) {
      finish_ = Finish::kLength;
      return false;
    }
    if (answered_ == answer_.size() && calls_ && on_event) {
      const ToolCall call = Call();
      on_event({.kind = Event::Kind::kToolCall, .text = call.name});
      on_event({.kind = Event::Kind::kToolArguments, .text = call.arguments});
      on_event({.kind = Event::Kind::kToolCallEnd, .text = "", .call = &call});
    }
    return answered_ < answer_.size();
  }

  static ToolCall Call() {
    return {.id = "call_1", .name = "get_weather", .arguments = R"({"city": "Oslo"})"};
  }

  Answer Collect(std::uint64_t seed) const {
    Answer answer;
    for (std::size_t i = 0; i < reasoned_; ++i) {
      answer.reasoning += reasoning_[i];
    }
    for (std::size_t i = 0; i < answered_; ++i) {
      answer.text += answer_[i];
    }
    answer.finish = finish_;
    if (calls_ && finish_ == Finish::kStop) {
      answer.finish = Finish::kToolCalls;
      answer.tool_calls.push_back(Call());
    }
    answer.thinking = thinks_;
    answer.seed = options_.sampling.seed.value_or(seed);
    answer.sampling = options_.sampling;
    answer.sampling.temperature = options_.sampling.temperature.value_or(0.6F);
    answer.figures = {.prompt_tokens = 100 * read_steps_,
                      .reused_tokens = 0,
                      .reasoning_tokens = reasoned_,
                      .answer_tokens = answered_,
                      .first_token_seconds = 0.25,
                      .prefill_seconds = 0.2,
                      .decode_seconds = 1.5,
                      .prefill_tokens_per_second = 500.0 * static_cast<double>(read_steps_),
                      .decode_tokens_per_second = 23.4,
                      .memory_bytes = 2'950'000'000};
    return answer;
  }

 private:
  // Pieces that end after a space or a wide character, as tokens would.
  static void Split(const std::string& text, std::vector<std::string>& pieces) {
    std::string piece;
    for (std::size_t i = 0; i < text.size(); ++i) {
      piece += text[i];
      const bool whole =
          i + 1 == text.size() || (static_cast<unsigned char>(text[i + 1]) & 0xC0U) != 0x80U;
      const bool wide = static_cast<unsigned char>(text[i]) >= 0x80U;
      if (i + 1 == text.size() || (whole && (wide || text[i] == ' ' || text[i] == '\n'))) {
        pieces.push_back(std::exchange(piece, ""));
      }
    }
  }

  GenerateOptions options_;
  int pause_;
  bool thinks_ = false;
  bool calls_ = false;
  std::size_t read_steps_ = 1;
  std::size_t read_ = 0;
  std::size_t reasoned_ = 0;
  std::size_t answered_ = 0;
  std::vector<std::string> reasoning_;
  std::vector<std::string> answer_;
  Finish finish_ = Finish::kStop;
};

Result<ModelFacts> FakeFacts(const std::string& name, const OpenOptions& open) {
  if (!IsBuiltinModelName(name) && !name.ends_with(".gguf")) {
    return Status(StatusCode::kNotFound,
                  Format("'{}' is neither a file nor a built-in model", name));
  }
  ModelFacts facts;
  facts.name = name;
  facts.architecture = Has(name, "phi") ? "phi3" : "qwen35";
  facts.quantisation = "Q8_0";
  facts.parameters = 7'000'000;
  facts.context_limit = 4096;
  facts.context_tokens = open.context_tokens == 0 ? 4096 : open.context_tokens;
  facts.isa = "avx2";
  facts.threads = 2;
  facts.kv = open.kv;
  facts.has_thinking_switch = Has(name, "qwen");
  return facts;
}

}  // namespace

Result<Model> Model::Open(const std::string& name, const OpenOptions& options) {
  Result<ModelFacts> facts = FakeFacts(name, options);
  if (!facts.ok()) {
    return facts.status();
  }
  auto impl = std::make_shared<Impl>();
  impl->facts = *facts;
  return Model(std::move(impl));
}

const ModelFacts& Model::facts() const {
  return impl_->facts;
}

std::vector<std::string> BuiltinModels() {
  return {"qwen3.5:demo", "phi4-mini:demo"};
}

Result<std::vector<Message>> ParseMessages(std::string_view json) {
  const Result<Json> parsed = ParseJson(json, "messages");
  if (!parsed.ok()) {
    return parsed.status();
  }
  const Json& list = parsed->is_object() ? parsed->at("messages") : *parsed;
  std::vector<Message> messages;
  for (const Json& item : list) {
    if (!item.contains("role") || !item.contains("content")) {
      return Status(StatusCode::kInvalidArgument, "messages[0]: 'role' is missing");
    }
    messages.push_back({.role = item["role"].get<std::string>(),
                        .content = item["content"].is_string() ? item["content"].get<std::string>()
                                                               : item["content"].dump(),
                        .reasoning = ""});
    for (const Json& call : item.contains("tool_calls") ? item["tool_calls"] : Json::array()) {
      messages.back().tool_calls.push_back({.id = call["id"].get<std::string>(),
                                            .name = call["function"]["name"].get<std::string>(),
                                            .arguments = R"({"city": "Oslo"})"});
    }
  }
  return messages;
}

Result<std::string> ParseTools(std::string_view json) {
  const Result<Json> parsed = ParseJson(json, "tools");
  if (!parsed.ok()) {
    return parsed.status();
  }
  const Json& list = parsed->is_object() ? parsed->at("tools") : *parsed;
  return list.empty() ? std::string() : list.dump();
}

struct Session::Impl {
  ModelFacts facts;
  std::vector<Message> messages;
};

Session::Session(const Model& model)
    : impl_(std::make_unique<Impl>(Impl{.facts = model.facts(), .messages = {}})) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

void Session::Add(Message message) {
  impl_->messages.push_back(std::move(message));
}
void Session::RemoveLast() {
  impl_->messages.pop_back();
}
const std::vector<Message>& Session::messages() const {
  return impl_->messages;
}
void Session::Clear() {
  impl_->messages.clear();
}

Result<Answer> Session::Generate(const GenerateOptions& options, const EventCallback& on_event) {
  const std::string prompt = impl_->messages.back().content;
  if (Has(prompt, "fail")) {
    return Status(StatusCode::kInvalidArgument, "the conversation has 9 tokens; 8 fit");
  }
  Script script(impl_->facts.name, prompt, options);
  while (script.Step(on_event)) {
  }
  Answer answer = script.Collect(1234);
  impl_->messages.push_back({.role = "assistant",
                             .content = answer.text,
                             .reasoning = "",
                             .parts = {},
                             .tool_calls = answer.tool_calls});
  return answer;
}

Result<std::size_t> Session::ReadAhead(const std::atomic<bool>* /*cancel*/) {
  return std::size_t{0};
}
SessionMemory Session::memory() const {
  return {.tokens = 100 * impl_->messages.size(),
          .cache_bytes = 5'000'000,
          .state_bytes = 1'000'000,
          .snapshots = 2,
          .snapshot_bytes = 2'000'000,
          .snapshot_budget = 256'000'000};
}

struct Comparison::Impl {
  std::vector<CompareColumn> columns;
  std::vector<ModelFacts> facts;
  std::vector<std::string> notes;
  std::vector<std::vector<Message>> conversations;
};

Comparison::Comparison(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Comparison::Comparison(Comparison&&) noexcept = default;
Comparison& Comparison::operator=(Comparison&&) noexcept = default;
Comparison::~Comparison() = default;

Result<Comparison> Comparison::Open(std::vector<CompareColumn> columns) {
  auto impl = std::make_unique<Impl>();
  for (const CompareColumn& column : columns) {
    Result<ModelFacts> facts = FakeFacts(column.model, column.open);
    if (!facts.ok()) {
      return facts.status();
    }
    impl->facts.push_back(*facts);
  }
  impl->columns = std::move(columns);
  return Comparison(std::move(impl));
}

const std::vector<CompareColumn>& Comparison::columns() const {
  return impl_->columns;
}
bool Comparison::together() const {
  return true;
}
const std::vector<std::string>& Comparison::notes() const {
  return impl_->notes;
}

std::vector<ColumnResult> Comparison::Run(const std::vector<Message>& messages, std::uint64_t seed,
                                          const CompareCallback& on_event) {
  const std::string prompt = messages.back().content;
  std::vector<Script> scripts;
  std::vector<bool> active(impl_->columns.size(), true);
  for (const CompareColumn& column : impl_->columns) {
    scripts.emplace_back(column.model, prompt, column.options);
  }
  for (bool any = true; any;) {
    any = false;
    for (std::size_t i = 0; i < scripts.size(); ++i) {
      if (active[i]) {
        active[i] =
            scripts[i].Step([&](const Event& event) { return !on_event || on_event(i, event); });
        any = any || active[i];
      }
    }
  }
  std::vector<ColumnResult> results(scripts.size());
  for (std::size_t i = 0; i < scripts.size(); ++i) {
    results[i].facts = impl_->facts[i];
    results[i].answer = scripts[i].Collect(seed);
    if (Has(prompt, "fail") && i == 1) {
      results[i].error = Status(StatusCode::kInvalidArgument, "the prompt has 9 tokens; 8 fit");
    }
  }
  return results;
}

// All columns that take a turn hear the same.
std::vector<ColumnResult> Comparison::ContinueEach(
    const std::vector<std::vector<Message>>& messages, std::uint64_t seed,
    const CompareCallback& on_event) {
  impl_->conversations.resize(impl_->columns.size());
  std::vector<Message> said;
  for (const std::vector<Message>& further : messages) {
    said = further.empty() ? said : further;
  }
  std::vector<ColumnResult> results = Run(said, seed, [&](std::size_t column, const Event& event) {
    return messages[column].empty() || on_event(column, event);
  });
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (messages[i].empty()) {
      results[i].answer = {};
    } else if (results[i].error.ok()) {
      impl_->conversations[i].insert(impl_->conversations[i].end(), messages[i].begin(),
                                     messages[i].end());
      impl_->conversations[i].push_back({.role = "assistant",
                                         .content = results[i].answer.text,
                                         .reasoning = "",
                                         .parts = {},
                                         .tool_calls = results[i].answer.tool_calls});
    }
  }
  return results;
}

const std::vector<Message>& Comparison::messages(std::size_t column) const {
  return impl_->conversations[column];
}

void Comparison::SetFormat(const std::string& format) {
  for (CompareColumn& column : impl_->columns) {
    column.options.format = format;
  }
}

void Comparison::SetTools(const std::string& tools) {
  for (CompareColumn& column : impl_->columns) {
    column.options.tools = tools;
  }
}

void Comparison::Restart(const std::vector<Message>& messages) {
  impl_->conversations.assign(impl_->columns.size(), messages);
}

}  // namespace tandem
