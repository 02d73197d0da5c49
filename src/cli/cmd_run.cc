#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "tandem/tandem.h"

#include "base/format.h"
#include "cli/answer_printer.h"
#include "cli/answer_text.h"
#include "cli/chat_loop.h"
#include "cli/commands.h"
#include "cli/input_text.h"
#include "cli/interrupt.h"
#include "cli/model_download.h"
#include "cli/model_options.h"
#include "cli/prompt_media.h"
#include "cli/terminal.h"

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
    "\n"
    "--json fields: model, answer, reasoning, thinking, finish (stop, length, context,\n"
    "cancelled), seed, sampling, figures, notes.";

class RunCommand : public Command {
 public:
  explicit RunCommand(CLI::App& app)
      : Command(app), out_(Terminal::Of(STDOUT_FILENO)), err_(Terminal::Of(STDERR_FILENO)) {
    app.add_option("MODEL", model_, "Path of a GGUF file, or a name; a missing model is fetched")
        ->required();
    app.add_option("PROMPT", words_, "The message to answer");
    app.add_option("--system", system_, "Instructions that come before the conversation")
        ->option_text(" TEXT");
    AddModelOptions(app, options_);
    app.add_flag("--hidethinking", hide_thinking_, "Think, but do not show it");
    app.add_flag("--show-thinking", show_thinking_, "Show thinking in a pipe too");
    app.add_flag("--verbose", verbose_, "Show figures after each answer");
    app.add_flag("--json", json_, "Print one JSON object when the answer is complete");
    app.add_flag("--yes", yes_, "Download the model when it is missing, without asking");
    app.add_flag("--quiet", quiet_, "Nothing but the answer and errors");
    app.footer(kFooter);
  }

  Result<ExitCode> Run() override {
    if (const Status status = FinishModelOptions(options_); !status.ok()) {
      return UsageError(*this, status.message());
    }
    TANDEM_RETURN_IF_ERROR(CheckUtf8(system_.value_or(""), "the system text"));
    TANDEM_ASSIGN_OR_RETURN(const std::string prompt, ReadPrompt(words_));
    const bool shown = !options_.images.empty() || !options_.videos.empty();
    const bool chat = prompt.empty() && isatty(STDIN_FILENO) != 0 && out_.interactive && !json_;
    if (prompt.empty() && !chat && !shown) {
      return UsageError(*this, "there is no prompt, neither as an argument nor piped in");
    }
    TANDEM_RETURN_IF_ERROR(EnsureModel(model_, {.yes = yes_, .quiet = quiet_}));
    TANDEM_ASSIGN_OR_RETURN(const Model model, Model::Open(model_, options_.open));
    if (!quiet_) {
      for (const std::string& note : model.facts().notes) {
        WriteNow(Format("Note: {}\n", note), STDERR_FILENO);
      }
    }
    InterruptGuard interrupt;
    options_.generate.cancel = interrupt.flag();
    Session session(model);
    StartConversation(session);
    return chat ? Chat(model, session, interrupt) : AnswerOnce(model, session, prompt);
  }

 private:
  void StartConversation(Session& session) const {
    if (system_.has_value()) {
      session.Add({.role = "system", .content = *system_, .reasoning = ""});
    }
  }

  Result<ExitCode> AnswerOnce(const Model& model, Session& session, const std::string& prompt) {
    session.Add(UserMessage(prompt, options_.images, options_.videos));
    TANDEM_ASSIGN_OR_RETURN(const Answer answer, Generate(model, session));
    if (json_) {
      const std::string text = DumpJson(AnswerJson(model.facts().name, answer), 2);
      WriteNow(text, STDOUT_FILENO);
    }
    return answer.finish == Finish::kCancelled ? ExitCode::kInterrupted : ExitCode::kSuccess;
  }

  Result<ExitCode> Chat(const Model& model, Session& session, InterruptGuard& interrupt) {
    // What --image and --video show belongs to the first message.
    std::vector<std::string> images = options_.images;
    std::vector<std::string> videos = options_.videos;
    const auto answer = [&](const std::string& message) {
      session.Add(UserMessage(message, images, videos));
      const Result<Answer> result = Generate(model, session);
      WriteNow("\n", STDOUT_FILENO);
      if (!result.ok()) {
        PrintError(result.status().message());
        // A message that could not be answered must not stay in the conversation; what was read
        // before it stays.
        session.RemoveLast();
      } else {
        images.clear();
        videos.clear();
      }
    };
    const auto clear = [&] {
      session.Clear();
      StartConversation(session);
    };
    const char* help = model.facts().has_thinking_switch
                           ? "  /think or /no_think before or after a message switches thinking\n"
                           : "";
    ChatLoop(out_, interrupt, {.answer = answer, .clear = clear, .help = help}).Run();
    return ExitCode::kSuccess;
  }

  Result<Answer> Generate(const Model& model, Session& session) {
    const bool show = out_.interactive ? !hide_thinking_ : show_thinking_;
    AnswerPrinter printer(
        {.out = out_, .err = err_, .show_reasoning = show, .quiet = quiet_},
        [](std::string_view text) { WriteNow(text, STDOUT_FILENO); },
        [](std::string_view text) { WriteNow(text, STDERR_FILENO); },
        [] { return std::chrono::steady_clock::now(); });
    const bool json = json_;
    Result<Answer> answer =
        session.Generate(options_.generate, [&printer, json](const Event& event) {
          const bool text =
              event.kind == Event::Kind::kAnswer || event.kind == Event::Kind::kReasoning;
          if (!json || !text) {
            printer.OnEvent(event);
          }
          return true;
        });
    if (!json) {
      printer.Finish();
    }
    if (answer.ok() && !quiet_) {
      ShowEnd(model, *answer);
    }
    return answer;
  }

  // What the answer alone does not say: how it ended, whether the model was thinking, figures.
  void ShowEnd(const Model& model, const Answer& answer) const {
    const std::string note = FinishNote(answer, options_.generate);
    if (!note.empty() && answer.finish != Finish::kCancelled) {
      WriteNow(Format("Note: {}\n", note), STDERR_FILENO);
    }
    if (verbose_) {
      WriteNow("\n" + err_.Dim(FiguresText(answer)), STDERR_FILENO);
    } else if (err_.interactive && model.facts().has_thinking_switch) {
      const std::string state = Format("[thinking {}]", answer.thinking ? "on" : "off");
      WriteNow(err_.Dim(state) + "\n", STDERR_FILENO);
    }
  }

  Terminal out_;
  Terminal err_;
  std::string model_;
  std::vector<std::string> words_;
  std::optional<std::string> system_;
  ModelOptions options_;
  bool hide_thinking_ = false;
  bool show_thinking_ = false;
  bool verbose_ = false;
  bool json_ = false;
  bool yes_ = false;
  bool quiet_ = false;
};

}  // namespace

std::unique_ptr<Command> AddRun(CLI::App& tandem) {
  CLI::App* app =
      tandem.add_subcommand("run", "Answer a prompt, or hold a conversation on a terminal");
  return std::make_unique<RunCommand>(*app);
}

}  // namespace tandem
