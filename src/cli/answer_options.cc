#include "cli/answer_options.h"

#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdlib>

#include <CLI/CLI.hpp>

#include "base/format.h"
#include "cli/inspection.h"

namespace tandem {
namespace {

// A signal handler can reach nothing but a static object.
std::atomic<bool> interrupt_flag{
    false};  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

constexpr int kInterruptedExit = 130;

void OnInterrupt(int) {
  if (interrupt_flag.exchange(true)) {
    std::_Exit(kInterruptedExit);
  }
}

template <typename T>
Result<T> ParseNumber(const std::string& key, const std::string& value) {
  T number{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) {
    return Status(StatusCode::kInvalidArgument,
                  Format("{} is '{}', not a number", key, Printable(value)));
  }
  return number;
}

Result<std::pair<std::int32_t, float>> ParseBias(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) {
    return Status(StatusCode::kInvalidArgument,
                  Format("--logit-bias is '{}'; it takes ID=BIAS", Printable(text)));
  }
  TANDEM_ASSIGN_OR_RETURN(const std::int32_t id,
                          ParseNumber<std::int32_t>("--logit-bias id", text.substr(0, equals)));
  TANDEM_ASSIGN_OR_RETURN(const float bias,
                          ParseNumber<float>("--logit-bias value", text.substr(equals + 1)));
  return std::pair(id, bias);
}

struct FloatKey {
  std::string_view name;
  std::optional<float> Sampling::*field;
};
constexpr FloatKey kFloatKeys[] = {
    {"temperature", &Sampling::temperature},
    {"top-p", &Sampling::top_p},
    {"min-p", &Sampling::min_p},
    {"typical-p", &Sampling::typical_p},
    {"repetition-penalty", &Sampling::repetition_penalty},
    {"presence-penalty", &Sampling::presence_penalty},
    {"frequency-penalty", &Sampling::frequency_penalty},
};

Status ApplySetting(const std::string& key, const std::string& value, OpenOptions& open,
                    GenerateOptions& generate) {
  for (const FloatKey& row : kFloatKeys) {
    if (row.name == key) {
      TANDEM_ASSIGN_OR_RETURN(generate.sampling.*row.field, ParseNumber<float>(key, value));
      return OkStatus();
    }
  }
  if (key == "top-k") {
    TANDEM_ASSIGN_OR_RETURN(generate.sampling.top_k, ParseNumber<std::size_t>(key, value));
  } else if (key == "seed") {
    TANDEM_ASSIGN_OR_RETURN(generate.sampling.seed, ParseNumber<std::uint64_t>(key, value));
  } else if (key == "max-tokens") {
    TANDEM_ASSIGN_OR_RETURN(generate.max_tokens, ParseNumber<std::size_t>(key, value));
  } else if (key == "ctx") {
    TANDEM_ASSIGN_OR_RETURN(open.context_tokens, ParseNumber<std::size_t>(key, value));
  } else if (key == "threads") {
    TANDEM_ASSIGN_OR_RETURN(open.threads, ParseNumber<std::size_t>(key, value));
  } else if (key == "kv") {
    open.kv = value;
  } else if (key == "isa") {
    open.isa = value;
  } else {
    return {StatusCode::kInvalidArgument,
            Format("'{}' is no setting of a column; known: think, nothink, temperature, top-k, "
                   "top-p, min-p, typical-p, "
                   "repetition-penalty, presence-penalty, frequency-penalty, seed, max-tokens, "
                   "ctx, threads, kv, isa",
                   Printable(key))};
  }
  return OkStatus();
}

}  // namespace

void AnswerOptions::AddTo(CLI::App& app) {
  Sampling& s = generate_.sampling;
  app.add_option("--ctx", open_.context_tokens,
                 "Longest conversation in tokens (default: what model and memory allow)");
  app.add_option("--threads", open_.threads, "Threads (default: physical cores)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--isa", open_.isa, "Instruction set: auto, scalar, avx2, avx512vnni, amx");
  app.add_option("--kv", open_.kv, "Cache format: f16, bf16, q8_0, f32");
  app.add_option("--system", system_, "A system message");
  app.add_option("--think", think_,
                 "Think before answering: true or false (default: the model's own)")
      ->expected(0, 1)
      ->default_str("true");
  app.add_option("--max-tokens", generate_.max_tokens,
                 "Longest answer, thinking included; 0: until the context is full");
  app.add_option("--seed", seed_, "Seed of the random draws (default: a new one each time)");
  app.add_option("--temperature", s.temperature, "0: always the most likely token");
  app.add_option("--top-k", s.top_k, "Draw among the k most likely tokens; 0: all");
  app.add_option("--top-p", s.top_p,
                 "Draw among the most likely tokens with this share of the probability");
  app.add_option("--min-p", s.min_p,
                 "Leave out tokens less likely than this share of the most likely");
  app.add_option("--typical-p", s.typical_p, "Draw among the most typical tokens with this share");
  app.add_option("--repetition-penalty", s.repetition_penalty,
                 "Penalty for tokens of prompt and answer");
  app.add_option("--presence-penalty", s.presence_penalty,
                 "Penalty for tokens that the answer has");
  app.add_option("--frequency-penalty", s.frequency_penalty, "The same, for each time");
  app.add_option("--logit-bias", bias_, "ID=BIAS: make a token more or less likely")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--stop", generate_.stop, "Text that ends the answer")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

Result<GenerateOptions> AnswerOptions::generate() const {
  GenerateOptions options = generate_;
  options.sampling.seed = seed_;
  if (think_.has_value() && *think_ != "true" && *think_ != "false") {
    return Status(StatusCode::kInvalidArgument,
                  Format("--think is '{}'; it takes true or false", Printable(*think_)));
  }
  if (think_.has_value()) {
    options.thinking = *think_ == "true" ? Thinking::kOn : Thinking::kOff;
  }
  for (const std::string& text : bias_) {
    TANDEM_ASSIGN_OR_RETURN(const auto bias, ParseBias(text));
    options.sampling.logit_bias.push_back(bias);
  }
  options.cancel = &InterruptFlag();
  return options;
}

Status ApplyColumnSettings(const std::string& settings, OpenOptions& open,
                           GenerateOptions& generate) {
  for (std::size_t begin = 0; begin <= settings.size();) {
    const std::size_t end = std::min(settings.size(), settings.find(',', begin));
    const std::string word = settings.substr(begin, end - begin);
    const std::size_t equals = word.find('=');
    if (word == "think" || word == "nothink") {
      generate.thinking = word == "think" ? Thinking::kOn : Thinking::kOff;
    } else if (equals != std::string::npos) {
      TANDEM_RETURN_IF_ERROR(
          ApplySetting(word.substr(0, equals), word.substr(equals + 1), open, generate));
    } else {
      TANDEM_RETURN_IF_ERROR(ApplySetting(word, "", open, generate));
    }
    begin = end + 1;
  }
  return OkStatus();
}

Result<std::string> GatherPrompt(const std::vector<std::string>& words) {
  std::string text;
  if (isatty(STDIN_FILENO) == 0) {
    TANDEM_ASSIGN_OR_RETURN(text, ReadStandardInput());
    if (!text.empty() && text.back() == '\n') {
      text.pop_back();
    }
  }
  for (const std::string& word : words) {
    text += text.empty() ? word : " " + word;
  }
  TANDEM_RETURN_IF_ERROR(CheckUtf8(text, "the prompt"));
  return text;
}

std::atomic<bool>& InterruptFlag() {
  std::signal(SIGINT, &OnInterrupt);
  return interrupt_flag;
}

}  // namespace tandem
