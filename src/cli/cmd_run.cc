#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "tandem/tandem.h"

#include "base/format.h"
#include "cli/answer_format_option.h"
#include "cli/answer_text.h"
#include "cli/commands.h"
#include "cli/input_text.h"
#include "cli/interrupt.h"
#include "cli/model_download.h"
#include "cli/model_options.h"
#include "cli/prompt_media.h"
#include "cli/repl/run_repl.h"
#include "cli/run_session.h"
#include "cli/terminal.h"
#include "io/file.h"
#include "io/json.h"

namespace tandem {
namespace {

constexpr const char* kFooter =
    "Words after MODEL are the prompt; what is piped in comes before them. On a terminal\n"
    "without a prompt a conversation starts. A prompt that starts or ends with /think or\n"
    "/no_think switches thinking for that turn. Thinking is shown on a terminal only. A model\n"
    "that sees is shown the pictures and clips whose file names are in the prompt.\n"
    "\n"
    "Examples:\n"
    "  tandem run qwen3.5:demo\n"
    "  tandem run qwen3.5:4b\n"
    "  tandem run model.gguf Why is the sky blue\n"
    "  cat letter.txt | tandem run model.gguf \"Summarise this letter.\"\n"
    "  tandem run qwen3.5.gguf What is in this picture? holiday/cat.jpg\n"
    "  tandem run --json --seed 7 model.gguf \"Hello\" | jq -r .answer\n"
    "  tandem run --chat --json model.gguf < questions.txt > answers.jsonl\n"
    "  tandem run --format person.schema.json model.gguf \"Who wrote Faust?\"\n"
    "\n"
    "--json fields: model, answer, reasoning, thinking, thinking_cut, tool_calls, finish (stop,\n"
    "length, context, cancelled, loop, tool_calls), seed, sampling, figures, notes.";

// Begins a line of --chat that holds the result of a tool.
constexpr std::string_view kResultWord = "/tool ";

class RunCommand : public Command {
 public:
  explicit RunCommand(CLI::App& app) : Command(app) {
    app.add_option("MODEL", settings_.model,
                   "Path of a GGUF file, or a name; a missing model is fetched")
        ->required();
    app.add_option("PROMPT", words_, "The message to answer");
    app.add_option("--system", settings_.system, "Instructions that come before the conversation")
        ->option_text(" TEXT");
    app.add_option("--messages", messages_path_,
                   "JSON file with the conversation so far, perhaps with tools")
        ->option_text(" FILE");
    AddModelOptions(app, settings_.options);
    app.add_flag("--hidethinking", settings_.hide_thinking, "Think, but do not show it");
    app.add_flag("--show-thinking", settings_.show_thinking, "Show thinking in a pipe too");
    app.add_flag("--verbose", settings_.verbose, "Show figures after each answer");
    app.add_flag("--json", settings_.json, "Print one JSON object when the answer is complete");
    app.add_flag("--chat", chat_,
                 "Each line of standard input is a message of one conversation; with --json an "
                 "answer's object stands on one line");
    app.add_flag("--yes", yes_, "Download the model when it is missing, without asking");
    app.add_flag("--quiet", settings_.quiet, "Nothing but the answer and errors");
    app.footer(kFooter);
  }

  Result<ExitCode> Run() override {
    if (const Status status = FinishModelOptions(settings_.options); !status.ok()) {
      return UsageError(*this, status.message());
    }
    TANDEM_ASSIGN_OR_RETURN(settings_.options.generate.format,
                            ReadAnswerFormat(settings_.options.format));
    TANDEM_RETURN_IF_ERROR(CheckUtf8(settings_.system.value_or(""), "the system text"));
    TANDEM_RETURN_IF_ERROR(ReadBeginning());
    if (settings_.system.has_value() && !settings_.beginning.empty()) {
      return UsageError(*this, "--system and --messages exclude each other");
    }
    if (chat_ && !words_.empty()) {
      return UsageError(*this, "--chat takes its messages from standard input, not as an argument");
    }
    TANDEM_ASSIGN_OR_RETURN(const std::string prompt,
                            chat_ ? Result<std::string>(std::string()) : ReadPrompt(words_));
    const bool shown = !settings_.options.images.empty() || !settings_.options.videos.empty();
    const bool terminal =
        isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0 && !settings_.json;
    // Messages that end with a question, or with a result of a tool, need no prompt.
    const bool asked = !settings_.beginning.empty() &&
                       settings_.beginning.back().role != "assistant" &&
                       settings_.beginning.back().role != "system";
    const bool chat = prompt.empty() && terminal && !asked;
    if (prompt.empty() && !chat && !chat_ && !shown && !asked) {
      return UsageError(*this, "there is no prompt, neither as an argument nor piped in");
    }
    TANDEM_RETURN_IF_ERROR(EnsureModel(settings_.model, {.yes = yes_, .quiet = settings_.quiet}));
    InterruptGuard interrupt;
    TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<RunSession> run,
                            RunSession::Open(settings_, interrupt.flag()));
    if (chat) {
      RunRepl(*run, interrupt).Run();
      return ExitCode::kSuccess;
    }
    return chat_ ? AnswerLines(*run, interrupt) : AnswerOnce(*run, prompt);
  }

 private:
  // Reads --messages and --tools, which wins over the tools of the former.
  Status ReadBeginning() {
    if (!messages_path_.empty()) {
      TANDEM_ASSIGN_OR_RETURN(const std::string text, ReadFile(messages_path_));
      Result<std::vector<Message>> messages = ParseMessages(text);
      if (!messages.ok()) {
        return {messages.status().code(),
                Format("{}: {}", messages_path_, messages.status().message())};
      }
      settings_.beginning = std::move(messages).value();
      TANDEM_ASSIGN_OR_RETURN(const Json parsed, ParseJson(text, messages_path_));
      if (parsed.is_object() && parsed.contains("tools")) {
        TANDEM_ASSIGN_OR_RETURN(settings_.options.generate.tools, ToolsIn(text, messages_path_));
      }
    }
    if (!settings_.options.tools_path.empty()) {
      TANDEM_ASSIGN_OR_RETURN(settings_.options.generate.tools,
                              ReadToolsFile(settings_.options.tools_path));
    }
    return OkStatus();
  }

  Result<ExitCode> AnswerOnce(RunSession& run, const std::string& prompt) const {
    const ModelOptions& options = settings_.options;
    const bool shown = !options.images.empty() || !options.videos.empty();
    TANDEM_ASSIGN_OR_RETURN(
        const Answer answer,
        prompt.empty() && !shown
            ? run.Generate()
            : run.Ask(UserMessage(prompt, options.images, options.videos, options.open.allow_url)));
    if (settings_.json) {
      WriteNow(DumpJson(AnswerJson(run.model().facts().name, answer), 2), STDOUT_FILENO);
    }
    return answer.finish == Finish::kCancelled ? ExitCode::kInterrupted : ExitCode::kSuccess;
  }

  // A conversation without a terminal: a line in, an answer out.
  Result<ExitCode> AnswerLines(RunSession& run, const InterruptGuard& interrupt) const {
    std::vector<std::string> images = settings_.options.images;  // of the first message
    std::vector<std::string> videos = settings_.options.videos;
    LineReader lines;
    std::string line;
    for (std::size_t number = 1;; ++number) {
      const LineReader::Event event = lines.Next(line);
      if (event == LineReader::Event::kInterrupted) {
        return ExitCode::kInterrupted;
      }
      if (event == LineReader::Event::kEnd) {
        return ExitCode::kSuccess;
      }
      TANDEM_RETURN_IF_ERROR(CheckUtf8(line, Format("line {}", number)));
      if (line.find_first_not_of(" \t\r") == std::string::npos) {
        continue;
      }
      std::optional<Answer> answer;
      if (line.starts_with(kResultWord)) {
        TANDEM_ASSIGN_OR_RETURN(const std::string text, ResultText(line, number));
        TANDEM_ASSIGN_OR_RETURN(answer, run.GiveResult(text));
      } else {
        TANDEM_ASSIGN_OR_RETURN(
            answer, run.Ask(UserMessage(line, images, videos, settings_.options.open.allow_url)));
        images.clear();
        videos.clear();
      }
      if (!answer.has_value()) {
        continue;  // further calls wait for their results
      }
      if (settings_.json) {
        WriteNow(DumpJson(AnswerJson(run.model().facts().name, *answer), -1), STDOUT_FILENO);
      }
      if (answer->finish == Finish::kCancelled) {
        return ExitCode::kInterrupted;
      }
      TANDEM_RETURN_IF_ERROR(run.session().ReadAhead(interrupt.flag()).status());
    }
  }

  // What follows the word; of several lines it stands in a JSON string.
  static Result<std::string> ResultText(const std::string& line, std::size_t number) {
    const std::string text = line.substr(kResultWord.size());
    if (!text.starts_with('"')) {
      return text;
    }
    TANDEM_ASSIGN_OR_RETURN(const Json value, ParseJson(text, Format("line {}", number)));
    return value.get<std::string>();
  }

  RunSettings settings_;
  std::string messages_path_;
  std::vector<std::string> words_;
  bool chat_ = false;
  bool yes_ = false;
};

}  // namespace

std::unique_ptr<Command> AddRun(CLI::App& tandem) {
  CLI::App* app =
      tandem.add_subcommand("run", "Answer a prompt, or hold a conversation on a terminal");
  return std::make_unique<RunCommand>(*app);
}

}  // namespace tandem
