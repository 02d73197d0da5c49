#include "cli/repl/run_repl.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

#include "base/format.h"
#include "base/suggestion.h"
#include "cli/answer_format_option.h"
#include "cli/answer_text.h"
#include "cli/command.h"
#include "cli/numbers.h"
#include "cli/prompt_media.h"
#include "cli/repl/saved_chat.h"
#include "cli/tool_calls.h"

namespace tandem {
namespace {

void Say(const std::string& text) {
  WriteNow(text + "\n", STDOUT_FILENO);
}

std::string Bytes(std::uint64_t bytes) {
  return FormatBytes(static_cast<double>(bytes));
}

std::string MessageText(const Message& message) {
  if (message.parts.empty()) {
    return message.content;
  }
  std::string text;
  for (const ContentPart& part : message.parts) {
    text += (text.empty() ? "" : " ") + part.value;
  }
  return text;
}

std::vector<std::string> SetWords() {
  return {"parameter",    "system",       "think",    "nothink", "think-budget",
          "hidethinking", "showthinking", "tools",    "format",  "verbose",
          "quiet",        "history",      "nohistory"};
}

bool IsSavedChat(const std::string& name) {
  std::error_code error;
  return !name.ends_with(".gguf") && std::filesystem::is_regular_file(name, error);
}

const char* HelpOf(const Model& model) {
  return model.facts().has_thinking_switch
             ? "  /think or /no_think before or after a message switches thinking\n"
             : "";
}

}  // namespace

RunRepl::RunRepl(RunSession& run, InterruptGuard& interrupt)
    : run_(run),
      images_(run.settings().options.images),
      videos_(run.settings().options.videos),
      repl_(run.out(), interrupt, Commands(),
            {.answer = [this](const std::string& message) { Ask(message); },
             // What cannot be read ahead the next turn reads, or says why not.
             .while_waiting =
                 [this](const std::atomic<bool>& stop) {
                   static_cast<void>(run_.session().ReadAhead(&stop).ok());
                 },
             .help = HelpOf(run.model())}) {}

std::vector<ReplCommand> RunRepl::Commands() {
  return {
      {.name = "/set",
       .arguments = "NAME [VALUE]",
       .help = "change a setting; alone: what there is",
       .run = [this](std::string_view rest) { Set(rest); },
       .words = SetWords()},
      {.name = "/show",
       .arguments = "[WHAT]",
       .help = "info, parameters, system, tools, messages, thinking or memory",
       .run = [this](std::string_view rest) { Show(rest); },
       .words = {"info", "parameters", "system", "tools", "messages", "thinking", "memory"}},
      {.name = "/tool",
       .arguments = "TEXT",
       .help = "the result of a call that the model made",
       .run = [this](std::string_view rest) { GiveResult(rest); }},
      {.name = "/regen",
       .arguments = "[N]",
       .help = "answer the last (or N-th) message again",
       .run = [this](std::string_view rest) { Regenerate(rest); }},
      {.name = "/edit",
       .arguments = "[N]",
       .help = "change the last (or N-th) message and go on from there",
       .run = [this](std::string_view rest) { Edit(rest); }},
      {.name = "/save",
       .arguments = "FILE",
       .help = "write conversation and settings",
       .run = [this](std::string_view rest) { Save(rest); },
       .files = true},
      {.name = "/load",
       .arguments = "FILE|MODEL",
       .help = "go on with a saved conversation, or begin one with another model",
       .run = [this](std::string_view rest) { Load(rest); },
       .files = true},
      {.name = "/clear",
       .arguments = "",
       .help = "forget the conversation",
       .run =
           [this](std::string_view) {
             run_.Clear();
             Say("The conversation is forgotten.");
           }},
  };
}

void RunRepl::Ask(const std::string& message) {
  const bool addresses = run_.settings().options.open.allow_url;
  const Result<Answer> answer = run_.Ask(UserMessage(message, images_, videos_, addresses));
  WriteNow("\n", STDOUT_FILENO);
  if (!answer.ok()) {
    PrintError(answer.status().message());
    return;
  }
  images_.clear();
  videos_.clear();
}

void RunRepl::Set(std::string_view rest) {
  const auto [word, value] = SplitWord(rest);
  RunSettings& settings = run_.settings();
  if (word.empty()) {
    Say("/set parameter NAME VALUE   a number of sampling or opening; /show parameters lists them\n"
        "/set system TEXT            instructions before the conversation, \"\"\" for several "
        "lines\n"
        "/set think, nothink         think before answering, or not\n"
        "/set think-budget N         end thinking after so many tokens; without N: no limit\n"
        "/set tools FILE             tools that the model may call; without FILE: none\n"
        "/set hidethinking, showthinking\n"
        "/set verbose, quiet         figures after each answer, or not\n"
        "/set history, nohistory     remember what is typed, or not\n"
        "/set format json|FILE|off   answers are JSON, or fit the JSON Schema in the file");
  } else if (word == "parameter") {
    SetParameter(value);
  } else if (word == "system") {
    SetSystem(value);
  } else if (word == "format") {
    SetFormat(value);
  } else if (word == "think" || word == "nothink") {
    settings.options.generate.thinking = word == "think" ? Thinking::kOn : Thinking::kOff;
    Say(Format("Thinking is {}.", word == "think" ? "on" : "off"));
  } else if (word == "think-budget") {
    SetThinkBudget(value);
  } else if (word == "tools") {
    SetTools(value);
  } else if (word == "hidethinking" || word == "showthinking") {
    settings.hide_thinking = word == "hidethinking";
    Say(settings.hide_thinking ? "Thinking is hidden; /show thinking shows the last one."
                               : "Thinking is shown.");
  } else if (word == "verbose" || word == "quiet") {
    settings.verbose = word == "verbose";
    Say(settings.verbose ? "Figures are shown." : "Figures are not shown.");
  } else if (word == "history" || word == "nohistory") {
    repl_.KeepHistory(word == "history");
    Say(word == "history" ? "What is typed is remembered." : "What is typed is not remembered.");
  } else {
    const std::string closest = ClosestName(word, SetWords());
    PrintError(Format("'{}' is no setting{}; /set lists them", Printable(word),
                      closest.empty() ? "" : Format(", did you mean {}?", closest)));
  }
}

void RunRepl::SetParameter(std::string_view rest) {
  const auto [name, value] = SplitWord(rest);
  RunSettings& settings = run_.settings();
  if (name == "stop") {
    settings.options.generate.stop.clear();
    for (std::string_view left = value; !left.empty();) {
      const auto [text, further] = SplitWord(left);
      settings.options.generate.stop.emplace_back(text);
      left = further;
    }
    Say(Format("{} stop texts.", settings.options.generate.stop.size()));
    return;
  }
  const ModelOptions before = settings.options;
  const Status status =
      ApplySetting(Format("{}={}", name, value), settings.options.open, settings.options.generate);
  if (!status.ok()) {
    PrintError(status.message());
    return;
  }
  const auto opening = [](const ModelOptions& options) {
    return SettingsOf(options.open, GenerateOptions());
  };
  if (opening(settings.options) != opening(before)) {
    if (const Status opened = run_.Reopen(); !opened.ok()) {
      PrintError(opened.message());
      settings.options = before;
      return;
    }
  }
  Say(Format("{} is {}.", name, value));
}

void RunRepl::SetFormat(std::string_view rest) {
  if (rest.empty()) {
    PrintError("/set format needs json, the file of a JSON Schema, or off");
    return;
  }
  Result<std::string> format = ReadAnswerFormat(rest == "off" ? "" : std::string(rest));
  if (!format.ok()) {
    PrintError(format.status().message());
    return;
  }
  Say(AnswerFormatText(*format, rest));
  run_.settings().options.generate.format = std::move(format).value();
}

void RunRepl::SetThinkBudget(std::string_view rest) {
  if (rest.empty()) {
    run_.settings().options.generate.think_budget.reset();
    Say("Thinking has no limit.");
    return;
  }
  SetParameter(Format("think-budget {}", rest));
}

void RunRepl::SetTools(std::string_view path) {
  std::string& tools = run_.settings().options.generate.tools;
  if (path.empty()) {
    tools.clear();
    Say(ToolsText(tools));
    return;
  }
  Result<std::string> read = ReadToolsFile(std::string(path));
  if (!read.ok()) {
    PrintError(read.status().message());
    return;
  }
  tools = std::move(read).value();
  Say(ToolsText(tools));
}

void RunRepl::GiveResult(std::string_view rest) {
  const Result<std::optional<Answer>> answer = run_.GiveResult(WithoutFence(rest));
  if (!answer.ok()) {
    PrintError(answer.status().message());
    return;
  }
  if (answer->has_value()) {
    WriteNow("\n", STDOUT_FILENO);
  } else {
    Say(Format("{} more calls wait for results.", WaitingCalls(run_.session().messages()).size()));
  }
}

void RunRepl::SetSystem(std::string_view rest) {
  const std::string_view text = WithoutFence(rest);
  std::optional<std::string>& system = run_.settings().system;
  system = text.empty() ? std::nullopt : std::optional(std::string(text));
  std::vector<Message> messages = run_.session().messages();
  if (!messages.empty() && messages.front().role == "system") {
    messages.erase(messages.begin());
  }
  run_.Clear();
  for (Message& message : messages) {
    run_.session().Add(std::move(message));
  }
  Say(system.has_value() ? "The system text is set." : "There is no system text.");
}

void RunRepl::Show(std::string_view rest) const {
  RunSession& run = run_;
  const ModelFacts& facts = run.model().facts();
  const std::string_view what = rest.empty() ? "info" : rest;
  if (what == "info") {
    const SessionMemory memory = run.session().memory();
    Say(
        Format("model      {}, {}, {} parameters, {}\n"
               "context    {} of {} tokens, {} read\n"
               "memory     cache {}, state {}, {} snapshots {} of at most {}\n"
               "threads    {}, {}, cache in {}",
               facts.name, facts.architecture, ShortCount(facts.parameters), facts.quantisation,
               WithCommas(facts.context_tokens), WithCommas(facts.context_limit),
               WithCommas(memory.tokens), Bytes(memory.cache_bytes), Bytes(memory.state_bytes),
               memory.snapshots, Bytes(memory.snapshot_bytes), Bytes(memory.snapshot_budget),
               facts.threads, facts.isa, facts.kv));
  } else if (what == "memory") {
    const SessionMemory memory = run.session().memory();
    Say(
        Format("weights          {}\ncache            {} for {} tokens\nfixed state      {}\n"
               "snapshots        {}, {} of at most {}",
               Bytes(facts.file_bytes), Bytes(memory.cache_bytes), WithCommas(memory.tokens),
               Bytes(memory.state_bytes), memory.snapshots, Bytes(memory.snapshot_bytes),
               Bytes(memory.snapshot_budget)));
  } else if (what == "parameters") {
    const ModelOptions& options = run.settings().options;
    std::string text;
    for (const std::string& setting : SettingsOf(options.open, options.generate)) {
      text += "  " + setting + "\n";
    }
    for (const std::string& stop : options.generate.stop) {
      text += Format("  stop={}\n", Printable(stop));
    }
    WriteNow(text.empty() ? "  all as the model recommends\n" : text, STDOUT_FILENO);
    text = "  known:";
    for (const std::string& name : SettingNames()) {
      text += " " + name;
    }
    Say(text + " stop");
  } else if (what == "system") {
    Say(run.settings().system.value_or("There is no system text."));
  } else if (what == "tools") {
    const std::string names = ToolNames(run.settings().options.generate.tools);
    Say(names.empty() ? "There are no tools." : names);
  } else if (what == "thinking") {
    const std::optional<Answer>& last = run.last();
    Say(!last.has_value() || last->reasoning.empty() ? "The last answer came without thinking."
                                                     : run.out().Dim(last->reasoning));
  } else if (what == "messages") {
    std::size_t number = 0;
    for (const Message& message : run.session().messages()) {
      const std::string mark = message.role == "user" ? Format("{} ", ++number) : std::string("  ");
      Say(Format("{}{}: {}{}", mark, message.role, MessageText(message), CallsText(message)));
    }
  } else {
    PrintError(
        Format("'{}' cannot be shown; info, parameters, system, tools, messages, thinking and "
               "memory can",
               Printable(what)));
  }
}

void RunRepl::Save(std::string_view rest) const {
  if (rest.empty()) {
    PrintError("/save needs the name of a file");
    return;
  }
  const ModelOptions& options = run_.settings().options;
  const Status status =
      WriteSavedChat(std::string(rest), {.model = run_.settings().model,
                                         .settings = SettingsOf(options.open, options.generate),
                                         .stop = options.generate.stop,
                                         .format = options.generate.format,
                                         .tools = options.generate.tools,
                                         .messages = run_.session().messages()});
  if (!status.ok()) {
    PrintError(status.message());
    return;
  }
  Say(Format("{} messages are in {}.", run_.session().messages().size(), rest));
}

void RunRepl::Load(std::string_view rest) {
  if (rest.empty()) {
    PrintError("/load needs a file that /save wrote, or a model");
  } else if (IsSavedChat(std::string(rest))) {
    LoadChat(std::string(rest));
  } else {
    LoadModel(std::string(rest));
  }
}

void RunRepl::LoadModel(const std::string& name) {
  const RunSettings before = run_.settings();
  run_.settings().model = name;
  if (const Status status = run_.Reopen(); !status.ok()) {
    PrintError(status.message());
    run_.settings() = before;
    return;
  }
  run_.Clear();
  Say(Format("A new conversation with {}.", name));
}

void RunRepl::LoadChat(const std::string& path) {
  Result<SavedChat> chat = ReadSavedChat(path);
  if (!chat.ok()) {
    PrintError(chat.status().message());
    return;
  }
  const RunSettings before = run_.settings();
  RunSettings& settings = run_.settings();
  settings.model = chat->model;
  const std::string mmproj = settings.options.open.mmproj;
  settings.options.open = {.mmproj = mmproj,
                           .image_pixels = settings.options.open.image_pixels,
                           .video_pixels = settings.options.open.video_pixels,
                           .image_tokens = settings.options.open.image_tokens,
                           .allow_url = settings.options.open.allow_url,
                           .allow_private_url = settings.options.open.allow_private_url};
  settings.options.generate = {};
  settings.options.generate.stop = chat->stop;
  settings.options.generate.format = chat->format;
  settings.options.generate.tools = chat->tools;
  Status status = OkStatus();
  for (const std::string& setting : chat->settings) {
    if (status.ok()) {
      status = ApplySetting(setting, settings.options.open, settings.options.generate);
    }
  }
  if (status.ok()) {
    status = run_.Reopen();
  }
  if (!status.ok()) {
    PrintError(Format("{}: {}", path, status.message()));
    run_.settings() = before;
    return;
  }
  settings.system.reset();
  run_.Clear();
  for (Message& message : chat->messages) {
    if (message.role == "system" && !settings.system.has_value()) {
      settings.system = message.content;
    }
    run_.session().Add(std::move(message));
  }
  Say(Format("{} messages with {}.", run_.session().messages().size(), settings.model));
}

std::optional<std::size_t> RunRepl::FindQuestion(std::string_view number) const {
  const std::vector<Message>& messages = run_.session().messages();
  std::vector<std::size_t> questions;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role == "user") {
      questions.push_back(i);
    }
  }
  if (questions.empty()) {
    PrintError("there is no message yet");
    return std::nullopt;
  }
  if (number.empty()) {
    return questions.back();
  }
  std::size_t n = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), n);
  if (error != std::errc() || end != number.data() + number.size() || n == 0 ||
      n > questions.size()) {
    PrintError(Format("'{}' is no number of a message; there are {}, /show messages shows them",
                      Printable(number), questions.size()));
    return std::nullopt;
  }
  return questions[n - 1];
}

void RunRepl::CutTo(std::size_t count) {
  while (run_.session().messages().size() > count) {
    run_.session().RemoveLast();
  }
}

void RunRepl::Regenerate(std::string_view rest) {
  const std::optional<std::size_t> question = FindQuestion(rest);
  if (!question.has_value()) {
    return;
  }
  CutTo(*question + 1);
  const Result<Answer> answer = run_.Generate();
  WriteNow("\n", STDOUT_FILENO);
  if (!answer.ok()) {
    PrintError(answer.status().message());
  }
}

void RunRepl::Edit(std::string_view rest) {
  const std::optional<std::size_t> question = FindQuestion(rest);
  if (!question.has_value()) {
    return;
  }
  std::string text = MessageText(run_.session().messages()[*question]);
  CutTo(*question);
  if (text.find('\n') != std::string::npos) {
    text = "\"\"\"" + text + "\"\"\"";
  }
  repl_.Suggest(std::move(text));
}

}  // namespace tandem
