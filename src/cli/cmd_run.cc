#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tandem/tandem.h"

#include "base/format.h"
#include "cli/answer_json.h"
#include "cli/answer_options.h"
#include "cli/commands.h"
#include "cli/inspection.h"
#include "cli/terminal.h"
#include "cli/text_layout.h"

namespace tandem {
namespace {

// A prompt that takes longer to read than this gets a progress line.
constexpr std::chrono::milliseconds kProgressAfter{500};

/// Shows one answer as it comes: the answer on standard output; reasoning dimmed on a terminal;
/// progress on standard error.
class AnswerPrinter {
 public:
  AnswerPrinter(const Terminal& out, const Terminal& err, bool show_reasoning)
      : out_(out),
        err_(err),
        show_reasoning_(show_reasoning),
        start_(std::chrono::steady_clock::now()) {}

  bool On(const Event& event) {
    switch (event.kind) {
      case Event::Kind::kPrefill:
        Progress(event);
        break;
      case Event::Kind::kReasoning:
        EraseProgress();
        Reasoning(event.text);
        break;
      case Event::Kind::kAnswer:
        EraseProgress();
        CloseReasoning();
        Write(event.text);
        break;
      case Event::Kind::kNote:
        EraseProgress();
        WriteNow(Format("{}\n", event.text), STDERR_FILENO);
        break;
    }
    return true;
  }

  void Finish() {
    EraseProgress();
    CloseReasoning();
    if (!ends_line_) {
      WriteNow("\n", STDOUT_FILENO);
    }
  }

 private:
  void Progress(const Event& event) {
    if (!err_.escapes || std::chrono::steady_clock::now() - start_ < kProgressAfter) {
      return;
    }
    WriteNow(Format("\r\x1b[Kreading {} of {} tokens", event.done, event.total), STDERR_FILENO);
    progress_shown_ = event.done < event.total;
    if (!progress_shown_) {
      WriteNow("\r\x1b[K", STDERR_FILENO);
    }
  }
  void EraseProgress() {
    if (progress_shown_) {
      WriteNow("\r\x1b[K", STDERR_FILENO);
      progress_shown_ = false;
    }
  }
  void Reasoning(std::string_view text) {
    if (!show_reasoning_) {
      return;
    }
    if (!in_reasoning_) {
      in_reasoning_ = true;
      Write(out_.Dim("Thinking...") + "\n");
    }
    Write(out_.Dim(text));
  }
  void CloseReasoning() {
    if (in_reasoning_) {
      in_reasoning_ = false;
      Write("\n" + out_.Dim("...done thinking.") + "\n\n");
    }
  }
  void Write(std::string_view text) {
    const std::string safe =
        out_.interactive && text.find('\x1b') == 0 ? std::string(text) : Safe(text);
    ends_line_ = !safe.empty() && safe.back() == '\n';
    WriteNow(safe, STDOUT_FILENO);
  }
  // A model must not move the cursor; our own dimming passes.
  std::string Safe(std::string_view text) const {
    return out_.interactive && text.find("\x1b[") == std::string_view::npos ? SafeForTerminal(text)
                                                                            : std::string(text);
  }

  Terminal out_;
  Terminal err_;
  bool show_reasoning_;
  std::chrono::steady_clock::time_point start_;
  bool progress_shown_ = false;
  bool in_reasoning_ = false;
  bool ends_line_ = true;
};

std::string FiguresText(const Answer& answer) {
  const Figures& f = answer.figures;
  return Format(
      "prompt      {} tokens, {} of them read before, {:.1f} tokens/s\n"
      "first token {:.2f} s\n"
      "thinking    {} tokens\n"
      "answer      {} tokens, {:.1f} tokens/s\n"
      "memory      {}\n"
      "finish      {}, seed {}\n",
      f.prompt_tokens, f.reused_tokens, f.prefill_tokens_per_second, f.first_token_seconds,
      f.reasoning_tokens, f.answer_tokens, f.decode_tokens_per_second,
      FormatBytes(static_cast<double>(f.memory_bytes)), FinishName(answer.finish), answer.seed);
}

constexpr const char* kChatHelp =
    "/clear  forget the conversation\n"
    "/bye    leave (so does Ctrl-D)\n"
    "/?      this help\n"
    "Ctrl-C  stop the answer\n"
    "A message may begin or end with /think or /no_think.\n";

class RunCommand : public Command {
 public:
  explicit RunCommand(CLI::App& app) : Command(app) {
    app.add_option("MODEL", model_, "A GGUF file or a built-in name")->required();
    app.add_option("PROMPT", words_, "What to ask; standard input is put before it");
    answer_.AddTo(app);
    app.add_flag("--hidethinking", hide_thinking_, "Do not show the thinking");
    app.add_flag("--show-thinking", show_thinking_, "Show the thinking in a pipe too");
    app.add_flag("--verbose", verbose_, "Show figures after each answer");
    app.add_flag("--quiet", quiet_, "Only the answer");
    app.add_flag("--json", json_, "Print one JSON object instead of text");
  }

  Result<ExitCode> Run() override {
    TANDEM_ASSIGN_OR_RETURN(const GenerateOptions options, answer_.generate());
    const bool chat = words_.empty() && isatty(STDIN_FILENO) == 1;
    std::string prompt;
    if (!chat) {
      TANDEM_ASSIGN_OR_RETURN(prompt, GatherPrompt(words_));
      if (prompt.empty()) {
        return UsageError(*this, "the prompt is empty");
      }
    }
    TANDEM_ASSIGN_OR_RETURN(const Model model, Model::Open(model_, answer_.open()));
    Note(model.facts().notes);
    Session session(model);
    StartConversation(session);
    return chat ? Chat(model, session, options) : Once(model, session, prompt, options);
  }

 private:
  void Note(const std::vector<std::string>& notes) const {
    for (const std::string& note : notes) {
      if (!quiet_) {
        WriteNow(note + "\n", STDERR_FILENO);
      }
    }
  }

  void StartConversation(Session& session) const {
    session.Clear();
    if (!answer_.system().empty()) {
      session.Add({.role = "system", .content = answer_.system(), .reasoning = {}});
    }
  }

  Result<Answer> Ask(Session& session, const std::string& text,
                     const GenerateOptions& options) const {
    const Terminal out = Terminal::Of(STDOUT_FILENO);
    AnswerPrinter printer(out, Terminal::Of(STDERR_FILENO),
                          !hide_thinking_ && !quiet_ && (out.interactive || show_thinking_));
    session.Add({.role = "user", .content = text, .reasoning = {}});
    Result<Answer> answer = session.Generate(
        options, [&](const Event& event) { return json_ ? true : printer.On(event); });
    if (answer.ok() && !json_) {
      printer.Finish();
      if (verbose_) {
        WriteNow(FiguresText(*answer), STDERR_FILENO);
      }
    }
    return answer;
  }

  Result<ExitCode> Once(const Model& model, Session& session, const std::string& prompt,
                        const GenerateOptions& options) const {
    TANDEM_ASSIGN_OR_RETURN(const Answer answer, Ask(session, prompt, options));
    if (json_) {
      std::puts(AnswerToJson(model.facts(), answer)
                    .dump(2, ' ', false, Json::error_handler_t::replace)
                    .c_str());
    }
    return answer.finish == Finish::kCancelled ? ExitCode::kInterrupted : ExitCode::kSuccess;
  }

  Result<ExitCode> Chat(const Model& model, Session& session,
                        const GenerateOptions& options) const {
    const Terminal terminal = Terminal::Of(STDOUT_FILENO);
    WriteNow(terminal.Dim(Format("{}: type a message, /? for help", model.facts().name)) + "\n",
             STDERR_FILENO);
    std::string line;
    while (true) {
      InterruptFlag().store(false);
      WriteNow(">>> ", STDOUT_FILENO);
      if (!std::getline(std::cin, line)) {
        WriteNow("\n", STDOUT_FILENO);
        return ExitCode::kSuccess;
      }
      if (InterruptFlag().load()) {
        WriteNow("\nPress Ctrl-D or type /bye to leave.\n", STDOUT_FILENO);
        continue;
      }
      if (line == "/bye" || line == "/exit") {
        return ExitCode::kSuccess;
      }
      if (line == "/clear") {
        StartConversation(session);
      } else if (line == "/?" || line == "/help") {
        WriteNow(kChatHelp, STDOUT_FILENO);
      } else if (!line.empty()) {
        TurnOrError(session, line, options);
      }
    }
  }

  // An error ends a turn, not the chat.
  void TurnOrError(Session& session, const std::string& line,
                   const GenerateOptions& options) const {
    const Status valid = CheckUtf8(line, "the message");
    if (!valid.ok()) {
      PrintError(valid.message());
      return;
    }
    const Result<Answer> answer = Ask(session, line, options);
    if (!answer.ok()) {
      PrintError(answer.status().message());
    } else if (verbose_) {
      WriteNow(Format("thinking    {}\n", answer->thinking ? "on" : "off"), STDERR_FILENO);
    }
  }

  std::string model_;
  std::vector<std::string> words_;
  AnswerOptions answer_;
  bool hide_thinking_ = false;
  bool show_thinking_ = false;
  bool verbose_ = false;
  bool quiet_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> AddRun(CLI::App& tandem) {
  CLI::App* app = tandem.add_subcommand("run", "Ask a model, or chat with it on a terminal");
  app->footer(
      "Examples:\n  tandem run qwen3.5:demo \"What is 27 + 45?\"\n  tandem run model.gguf "
      "--think=false < question.txt");
  return std::make_unique<RunCommand>(*app);
}

}  // namespace tandem
