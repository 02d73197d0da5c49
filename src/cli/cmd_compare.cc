#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tandem/tandem.h"

#include "base/format.h"
#include "cli/answer_json.h"
#include "cli/answer_options.h"
#include "cli/columns.h"
#include "cli/commands.h"
#include "cli/comparison_report.h"
#include "cli/inspection.h"
#include "cli/terminal.h"
#include "cli/text_layout.h"
#include "io/file.h"
#include "io/json.h"
#include "store/builtin.h"

namespace tandem {
namespace {

constexpr std::size_t kLeastModels = 2;

// Whether a word of the command line names a model rather than beginning the prompt.
bool NamesModel(const std::string& word) {
  const std::string name = word.substr(0, word.find('@'));
  std::error_code error;
  return IsBuiltinModelName(name) || name.ends_with(".gguf") ||
         std::filesystem::exists(name, error);
}

/// Shows the answers one after the other under headings, for pipes and narrow terminals. Only the
/// first column that has not ended streams; what the others say meanwhile is kept.
class Sequential {
 public:
  Sequential(const Terminal& terminal, std::vector<std::string> headings)
      : terminal_(terminal), headings_(std::move(headings)) {}

  void Print(const std::vector<ColumnResult>& results) const {
    for (std::size_t i = 0; i < results.size(); ++i) {
      std::string text = (i == 0 ? "" : "\n") + terminal_.Bold("== " + headings_[i]) + "\n";
      const ColumnResult& result = results[i];
      if (!result.error.ok()) {
        text += "Error: " + result.error.message() + "\n";
      } else {
        if (!result.answer.reasoning.empty()) {
          text += terminal_.Dim(Shown(result.answer.reasoning)) + "\n\n";
        }
        text += Shown(result.answer.text) + "\n";
      }
      WriteNow(text, STDOUT_FILENO);
    }
    WriteNow("\n", STDOUT_FILENO);
  }

 private:
  std::string Shown(const std::string& text) const {
    return terminal_.interactive ? SafeForTerminal(text) : text;
  }

  Terminal terminal_;
  std::vector<std::string> headings_;
};

struct PromptEntry {
  std::string text;  // as the report shows it
  std::vector<Message> messages;
};

Result<PromptEntry> ParsePromptLine(std::string_view line, std::size_t number) {
  const std::string where = Format("line {}", number);
  TANDEM_ASSIGN_OR_RETURN(const Json json, ParseJson(line, where));
  PromptEntry entry;
  if (json.is_string() ||
      (json.is_object() && json.contains("prompt") && json["prompt"].is_string())) {
    entry.text = json.is_string() ? json.get<std::string>() : json["prompt"].get<std::string>();
    entry.messages.push_back({.role = "user", .content = entry.text, .reasoning = {}});
    return entry;
  }
  if (!json.is_object() || !json.contains("messages")) {
    return Status(
        StatusCode::kInvalidArgument,
        Format("{}: expected a JSON string, {{\"prompt\": ..}} or {{\"messages\": [..]}}", where));
  }
  Result<std::vector<Message>> messages = ParseMessages(line);
  if (!messages.ok()) {
    return Status(messages.status().code(), Format("{}: {}", where, messages.status().message()));
  }
  if (messages->empty()) {
    return Status(StatusCode::kInvalidArgument, Format("{}: \"messages\" is empty", where));
  }
  entry.messages = std::move(messages).value();
  entry.text = entry.messages.back().content;
  return entry;
}

Result<std::vector<PromptEntry>> ReadPrompts(const std::string& path) {
  TANDEM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  TANDEM_RETURN_IF_ERROR(CheckUtf8(text, path));
  std::vector<PromptEntry> entries;
  std::size_t number = 1;
  for (std::size_t begin = 0; begin < text.size(); ++number) {
    const std::size_t end = std::min(text.size(), text.find('\n', begin));
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) {
      TANDEM_ASSIGN_OR_RETURN(PromptEntry entry, ParsePromptLine(line, number));
      entries.push_back(std::move(entry));
    }
    begin = end + 1;
  }
  if (entries.empty()) {
    return Status(StatusCode::kInvalidArgument, Format("{} has no prompts", path));
  }
  return entries;
}

class CompareCommand : public Command {
 public:
  explicit CompareCommand(CLI::App& app) : Command(app) {
    app.add_option("MODELS", words_,
                   "Two or more models, NAME[@SETTING,..]; what follows them is the prompt")
        ->required();
    app.add_option("--prompt", prompt_, "What to ask, instead of words after the models");
    app.add_option("--prompts", prompts_,
                   "JSON lines: a string, {\"prompt\":..} or {\"messages\":[..]} each");
    app.add_option("--report", report_, "Write the answers to --prompts as Markdown")
        ->needs("--prompts");
    app.add_flag("--json", json_, "Print one JSON object instead of text");
    answer_.AddTo(app);
  }

  Result<ExitCode> Run() override {
    std::vector<CompareColumn> columns;
    std::vector<std::string> rest;
    TANDEM_RETURN_IF_ERROR(SplitWords(columns, rest));
    if (columns.size() < kLeastModels) {
      return UsageError(
          *this, rest.empty()
                     ? std::string("a comparison needs at least two models")
                     : Format("a comparison needs at least two models; '{}' is neither a built-in "
                              "name nor a file",
                              Printable(rest.front())));
    }
    labels_.clear();
    for (const CompareColumn& column : columns) {
      labels_.push_back(column.label);
    }
    if (prompts_) {
      return RunFile(std::move(columns));
    }
    if (prompt_) {
      rest.insert(rest.begin(), *prompt_);
    }
    const bool ask = rest.empty() && isatty(STDIN_FILENO) == 1;
    std::string prompt;
    if (!ask) {
      TANDEM_ASSIGN_OR_RETURN(prompt, prompt_ ? Joined(rest) : GatherPrompt(rest));
      if (prompt.empty()) {
        return UsageError(*this, "the prompt is empty");
      }
    }
    TANDEM_ASSIGN_OR_RETURN(Comparison comparison, Comparison::Open(std::move(columns)));
    Notes(comparison.notes());
    return ask ? AskInTurn(comparison) : Once(comparison, prompt);
  }

 private:
  static Result<std::string> Joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
      text += text.empty() ? word : " " + word;
    }
    TANDEM_RETURN_IF_ERROR(CheckUtf8(text, "the prompt"));
    return text;
  }

  Status SplitWords(std::vector<CompareColumn>& columns, std::vector<std::string>& rest) const {
    TANDEM_ASSIGN_OR_RETURN(const GenerateOptions generate, answer_.generate());
    for (const std::string& word : words_) {
      if (!rest.empty() || !NamesModel(word)) {
        rest.push_back(word);
        continue;
      }
      const std::size_t at = word.find('@');
      CompareColumn column{
          .model = word.substr(0, at), .label = word, .open = answer_.open(), .options = generate};
      // The seed of all columns is Run's; only a column's own stands here.
      column.options.sampling.seed.reset();
      if (at != std::string::npos) {
        TANDEM_RETURN_IF_ERROR(
            ApplyColumnSettings(word.substr(at + 1), column.open, column.options));
      }
      columns.push_back(std::move(column));
    }
    return OkStatus();
  }

  static void Notes(const std::vector<std::string>& notes) {
    for (const std::string& note : notes) {
      WriteNow(note + "\n", STDERR_FILENO);
    }
  }

  std::uint64_t Seed() const { return answer_.seed().value_or(std::random_device()()); }

  std::vector<Message> Messages(const std::string& prompt) const {
    std::vector<Message> messages;
    if (!answer_.system().empty()) {
      messages.push_back({.role = "system", .content = answer_.system(), .reasoning = {}});
    }
    messages.push_back({.role = "user", .content = prompt, .reasoning = {}});
    return messages;
  }

  std::vector<ColumnResult> Show(Comparison& comparison, const std::vector<Message>& messages,
                                 std::uint64_t seed) {
    const Terminal out = Terminal::Of(STDOUT_FILENO);
    if (!Columns::Fit(out, labels_.size())) {
      std::vector<ColumnResult> results = comparison.Run(messages, seed, nullptr);
      Sequential(out, labels_).Print(results);
      return results;
    }
    Columns columns(out, labels_);
    std::vector<ColumnResult> results =
        comparison.Run(messages, seed, [&](std::size_t column, const Event& event) {
          if (event.kind == Event::Kind::kPrefill) {
            columns.SetStatus(column, Format("reading {} of {} tokens", event.done, event.total));
          } else if (event.kind != Event::Kind::kNote) {
            columns.Append(column, event.kind == Event::Kind::kReasoning, event.text);
          }
          return true;
        });
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!results[i].error.ok()) {
        columns.Append(i, false, "Error: " + results[i].error.message());
      }
    }
    columns.Finish();
    return results;
  }

  static bool Cancelled(const std::vector<ColumnResult>& results) {
    return InterruptFlag().load() ||
           std::any_of(results.begin(), results.end(), [](const ColumnResult& result) {
             return result.answer.finish == Finish::kCancelled;
           });
  }

  static bool Failed(const std::vector<ColumnResult>& results) {
    return std::any_of(results.begin(), results.end(),
                       [](const ColumnResult& result) { return !result.error.ok(); });
  }

  Json ToJson(const std::string& prompt, std::uint64_t seed,
              const std::vector<ColumnResult>& results) const {
    Json columns = Json::array();
    for (std::size_t i = 0; i < results.size(); ++i) {
      Json column = results[i].error.ok() ? AnswerToJson(results[i].facts, results[i].answer)
                                          : Json{{"model", results[i].facts.name},
                                                 {"error", results[i].error.message()}};
      column["label"] = labels_[i];
      columns.push_back(std::move(column));
    }
    return {{"prompt", prompt}, {"seed", seed}, {"columns", std::move(columns)}};
  }

  static void PrintJson(const Json& json) {
    std::puts(json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  }

  Result<ExitCode> Once(Comparison& comparison, const std::string& prompt) {
    const std::uint64_t seed = Seed();
    std::vector<ColumnResult> results;
    if (json_) {
      results = comparison.Run(Messages(prompt), seed, nullptr);
      PrintJson(ToJson(prompt, seed, results));
    } else {
      results = Show(comparison, Messages(prompt), seed);
      WriteNow(FiguresTable(labels_, results), STDOUT_FILENO);
    }
    if (Cancelled(results)) {
      return ExitCode::kInterrupted;
    }
    return Failed(results) ? ExitCode::kFailure : ExitCode::kSuccess;
  }

  // Each line of the terminal is a fresh question to all models.
  Result<ExitCode> AskInTurn(Comparison& comparison) {
    char* line = nullptr;
    std::size_t capacity = 0;
    while (true) {
      InterruptFlag().store(false);
      WriteNow(">>> ", STDOUT_FILENO);
      const ssize_t length = getline(&line, &capacity, stdin);
      std::string prompt(line == nullptr || length < 0 ? "" : line);
      prompt.erase(prompt.find_last_not_of('\n') + 1);
      if (length < 0 || prompt == "/bye") {
        break;
      }
      if (prompt.empty() || !CheckUtf8(prompt, "the prompt").ok()) {
        continue;
      }
      const std::vector<ColumnResult> results = Show(comparison, Messages(prompt), Seed());
      WriteNow(FiguresTable(labels_, results) + "\n", STDOUT_FILENO);
    }
    std::free(line);  // NOLINT(cppcoreguidelines-no-malloc): getline allocates it
    return ExitCode::kSuccess;
  }

  Result<ExitCode> RunFile(std::vector<CompareColumn> columns) {
    TANDEM_ASSIGN_OR_RETURN(const std::vector<PromptEntry> entries, ReadPrompts(*prompts_));
    TANDEM_ASSIGN_OR_RETURN(Comparison comparison, Comparison::Open(std::move(columns)));
    Notes(comparison.notes());
    const std::uint64_t seed = Seed();
    const Terminal err = Terminal::Of(STDERR_FILENO);
    std::vector<ComparedPrompt> prompts;
    Json all = Json::array();
    for (std::size_t i = 0; i < entries.size() && !InterruptFlag().load(); ++i) {
      if (err.escapes) {
        WriteNow(Format("\r\x1b[Kprompt {} of {}", i + 1, entries.size()), STDERR_FILENO);
      }
      prompts.push_back({entries[i].text, comparison.Run(entries[i].messages, seed, nullptr)});
      all.push_back(ToJson(entries[i].text, seed, prompts.back().results));
    }
    if (err.escapes) {
      WriteNow("\r\x1b[K", STDERR_FILENO);
    }
    if (report_) {
      TANDEM_RETURN_IF_ERROR(WriteFileAtomically(*report_, MarkdownReport(labels_, prompts, seed)));
    }
    if (json_) {
      PrintJson({{"seed", seed}, {"prompts", std::move(all)}});
    } else {
      WriteNow(SummaryTable(labels_, prompts), STDOUT_FILENO);
    }
    return InterruptFlag().load() ? ExitCode::kInterrupted : ExitCode::kSuccess;
  }

  std::vector<std::string> words_;
  std::optional<std::string> prompt_;
  std::optional<std::string> prompts_;
  std::optional<std::string> report_;
  bool json_ = false;
  AnswerOptions answer_;
  std::vector<std::string> labels_;
};

}  // namespace

std::unique_ptr<Command> AddCompare(CLI::App& tandem) {
  CLI::App* app = tandem.add_subcommand(
      "compare", "Ask several models the same and show answers and figures side by side");
  app->footer(
      "Examples:\n"
      "  tandem compare qwen3.5:demo phi4-mini:demo \"What is 27 + 45?\"\n"
      "  tandem compare qwen3.5:demo@think qwen3.5:demo@nothink,temperature=0 phi4-mini:demo "
      "--prompt Hello\n"
      "  tandem compare a.gguf b.gguf --prompts mine.jsonl --report out.md");
  return std::make_unique<CompareCommand>(*app);
}

}  // namespace tandem
