#include "cli/run_session.h"

#include <unistd.h>

#include <chrono>
#include <utility>

#include "base/format.h"
#include "cli/answer_printer.h"
#include "cli/answer_text.h"
#include "cli/tool_calls.h"

namespace tandem {

RunSession::RunSession(RunSettings settings, const std::atomic<bool>* cancel)
    : out_(Terminal::Of(STDOUT_FILENO)),
      err_(Terminal::Of(STDERR_FILENO)),
      settings_(std::move(settings)),
      cancel_(cancel) {}

Result<std::unique_ptr<RunSession>> RunSession::Open(RunSettings settings,
                                                     const std::atomic<bool>* cancel) {
  std::unique_ptr<RunSession> run(new RunSession(std::move(settings), cancel));
  TANDEM_RETURN_IF_ERROR(run->Reopen());
  run->Clear();
  for (Message& message : run->settings_.beginning) {
    run->session_->Add(std::move(message));
  }
  return run;
}

Status RunSession::Reopen() {
  TANDEM_ASSIGN_OR_RETURN(Model model, Model::Open(settings_.model, settings_.options.open));
  std::vector<Message> messages;
  if (session_.has_value()) {
    messages = session_->messages();
  }
  session_.emplace(model);
  model_ = std::move(model);
  for (Message& message : messages) {
    session_->Add(std::move(message));
  }
  if (!settings_.quiet) {
    for (const std::string& note : model_->facts().notes) {
      WriteNow(Format("Note: {}\n", note), STDERR_FILENO);
    }
  }
  return OkStatus();
}

void RunSession::Clear() {
  session_->Clear();
  last_.reset();
  if (settings_.system.has_value()) {
    session_->Add({.role = "system", .content = *settings_.system, .reasoning = ""});
  }
}

Result<Answer> RunSession::Ask(Message message) {
  session_->Add(std::move(message));
  Result<Answer> answer = Generate();
  if (!answer.ok()) {
    session_->RemoveLast();
  }
  return answer;
}

Result<std::optional<Answer>> RunSession::GiveResult(std::string_view text) {
  const std::vector<ToolCall> waiting = WaitingCalls(session_->messages());
  if (waiting.empty()) {
    return Status(StatusCode::kInvalidArgument, "no call of a tool waits for a result");
  }
  session_->Add(ResultOf(waiting[0], text));
  if (waiting.size() > 1) {
    return std::optional<Answer>();
  }
  Result<Answer> answer = Generate();
  if (!answer.ok()) {
    session_->RemoveLast();
    return answer.status();
  }
  return std::optional(std::move(answer).value());
}

Result<Answer> RunSession::Generate() {
  const bool show = out_.interactive ? !settings_.hide_thinking : settings_.show_thinking;
  AnswerPrinter printer(
      {.out = out_,
       .err = err_,
       .show_reasoning = show,
       .quiet = settings_.quiet,
       .columns = [] { return Terminal::Of(STDOUT_FILENO).columns; }},
      [](std::string_view text) { WriteNow(text, STDOUT_FILENO); },
      [](std::string_view text) { WriteNow(text, STDERR_FILENO); },
      [] { return std::chrono::steady_clock::now(); });
  GenerateOptions options = settings_.options.generate;
  options.cancel = cancel_;
  const bool json = settings_.json;
  Result<Answer> answer = session_->Generate(options, [&printer, json](const Event& event) {
    const bool aside = event.kind == Event::Kind::kPrefill || event.kind == Event::Kind::kNote;
    if (!json || aside) {
      printer.OnEvent(event);
    }
    return true;
  });
  if (!json) {
    printer.Finish();
  }
  if (answer.ok()) {
    last_ = *answer;
    if (!settings_.quiet) {
      ShowEnd(*answer);
    }
  }
  return answer;
}

// What the answer alone does not say: how it ended, whether the model was thinking, figures.
void RunSession::ShowEnd(const Answer& answer) const {
  const std::string note = FinishNote(answer, settings_.options.generate);
  if (!note.empty() && answer.finish != Finish::kCancelled) {
    WriteNow(Format("Note: {}\n", note), STDERR_FILENO);
  }
  if (settings_.verbose) {
    WriteNow(Format("\n{}", err_.Dim(FiguresText(answer))), STDERR_FILENO);
  } else if (err_.interactive && model_->facts().has_thinking_switch) {
    std::string state = Format("[thinking {}]", answer.thinking ? "on" : "off");
    if (settings_.hide_thinking && answer.figures.reasoning_tokens > 0) {
      state = Format("[thinking on, {} tokens hidden; /show thinking]",
                     answer.figures.reasoning_tokens);
    }
    if (answer.thinking_cut) {
      state = Format("[thinking on, ended after {} tokens]", answer.figures.reasoning_tokens);
    }
    WriteNow(err_.Dim(state) + "\n", STDERR_FILENO);
  }
}

}  // namespace tandem
