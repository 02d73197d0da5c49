#include "cli/repl/compare_repl.h"

#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/format.h"
#include "cli/answer_format_option.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/numbers.h"
#include "cli/tool_calls.h"

namespace tandem {
namespace {

char LetterOf(std::size_t column) {
  return static_cast<char>('a' + column);
}

// The letters of the columns, and a last word.
std::vector<std::string> WordsFor(std::size_t columns, const char* last) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < columns; ++i) {
    words.emplace_back(1, LetterOf(i));
  }
  words.emplace_back(last);
  return words;
}

// Says what there is when it names none of them.
bool NamesOne(const std::vector<std::string>& words, std::string_view word, const char* what) {
  if (std::find(words.begin(), words.end(), word) != words.end()) {
    return true;
  }
  std::string known;
  for (const std::string& other : words) {
    known += (known.empty() ? "" : ", ") + other;
  }
  PrintError(Format("'{}' is no {}; it takes one of {}", Printable(word), what, known));
  return false;
}

}  // namespace

std::string TurnSummary(const std::vector<std::string>& labels,
                        const std::vector<ColumnResult>& results) {
  std::string text;
  for (std::size_t i = 0; i < results.size(); ++i) {
    text += Format("{}  {}: ", LetterOf(i), labels[i]);
    if (!results[i].error.ok()) {
      text += "no answer\n";
      continue;
    }
    const Figures& f = results[i].answer.figures;
    const std::string thinking =
        f.reasoning_tokens > 0 ? Format("{} thinking and ", WithCommas(f.reasoning_tokens)) : "";
    text += Format("{}{} answer tokens, first after {}, {} tok/s\n", thinking,
                   WithCommas(f.answer_tokens), ShortSeconds(f.first_token_seconds),
                   ShortRate(f.decode_tokens_per_second));
  }
  return text;
}

CompareRepl::CompareRepl(Comparison& comparison, std::vector<Message> beginning,
                         const Terminal& terminal, InterruptGuard& interrupt, Hooks hooks)
    : comparison_(comparison),
      beginning_(std::move(beginning)),
      hooks_(std::move(hooks)),
      votes_(comparison.columns().size()),
      repl_(terminal, interrupt, Commands(),
            {.answer = [this](const std::string& message) { Ask(message); }}) {
  Restart();
}

void CompareRepl::Restart() {
  comparison_.Restart(beginning_);
  results_.assign(comparison_.columns().size(), {});
  open_question_ = false;
}

std::vector<ReplCommand> CompareRepl::Commands() {
  return {
      {.name = "/vote",
       .arguments = "a|b|tie",
       .help = "say whose answer was better; alone: how the votes stand",
       .run = [this](std::string_view rest) { Vote(rest); },
       .words = WordsFor(comparison_.columns().size(), "tie")},
      {.name = "/tool",
       .arguments = "a|b|all TEXT",
       .help = "the result of a call that the model made, or each of them",
       .run = [this](std::string_view rest) { GiveResult(rest); },
       .words = WordsFor(comparison_.columns().size(), "all")},
      {.name = "/set",
       .arguments = "NAME [VALUE]",
       .help = "format json, FILE or off: answers are JSON, or fit the JSON Schema in the file; "
               "tools FILE: what may be called",
       .run = [this](std::string_view rest) { Set(rest); },
       .words = {"format", "tools"}},
      {.name = "/show",
       .arguments = "",
       .help = "the conversations so far",
       .run = [this](std::string_view) { ShowMessages(); }},
      {.name = "/clear",
       .arguments = "",
       .help = "forget the conversations; the votes stay",
       .run =
           [this](std::string_view) {
             Restart();
             WriteNow("The conversations are forgotten.\n", STDOUT_FILENO);
           }},
  };
}

void CompareRepl::Run() {
  repl_.Run();
  if (std::accumulate(votes_.begin(), votes_.end(), ties_) > 0) {
    ShowTally();
  }
}

void CompareRepl::Ask(const std::string& message) {
  std::vector<std::vector<Message>> messages = results_;
  const Message question = hooks_.message(message);
  for (std::vector<Message>& further : messages) {
    further.push_back(question);
  }
  static_cast<void>(Answer(messages));
}

std::vector<ColumnResult> CompareRepl::Answer(const std::vector<std::vector<Message>>& messages) {
  std::vector<ColumnResult> results = hooks_.turn(messages);
  open_question_ = false;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].error.ok() && !messages[i].empty()) {
      open_question_ = true;
      results_[i].clear();
    }
  }
  return results;
}

void CompareRepl::GiveResult(std::string_view rest) {
  const auto [whose, text] = SplitWord(rest);
  if (!NamesOne(WordsFor(results_.size(), "all"), whose, "column")) {
    return;
  }
  std::vector<std::vector<Message>> ready(results_.size());
  std::string waiting_text;
  bool given = false;
  for (std::size_t i = 0; i < results_.size(); ++i) {
    if (whose != "all" && whose.front() != LetterOf(i)) {
      continue;
    }
    std::vector<Message> messages = comparison_.messages(i);
    messages.insert(messages.end(), results_[i].begin(), results_[i].end());
    const std::vector<ToolCall> waiting = WaitingCalls(messages);
    if (waiting.empty()) {
      continue;
    }
    given = true;
    results_[i].push_back(ResultOf(waiting[0], WithoutFence(text)));
    if (waiting.size() == 1) {
      ready[i] = results_[i];
    } else {
      waiting_text +=
          Format("{}: {} more calls wait for results.\n", LetterOf(i), waiting.size() - 1);
    }
  }
  if (!given) {
    PrintError("no call of a tool waits for a result");
  }
  WriteNow(waiting_text, STDOUT_FILENO);
  if (std::all_of(ready.begin(), ready.end(), [](const auto& list) { return list.empty(); })) {
    return;
  }
  const std::vector<ColumnResult> results = Answer(ready);
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!ready[i].empty() && !results[i].error.ok()) {
      results_[i].pop_back();  // may be given again
    }
  }
}

void CompareRepl::Set(std::string_view rest) {
  const auto [name, text] = SplitWord(rest);
  const std::string value(text);
  if (name == "format" && !value.empty()) {
    SetFormat(value);
  } else if (name == "tools") {
    SetTools(value);
  } else {
    PrintError("/set format json, FILE or off and /set tools FILE are what can be set");
  }
}

void CompareRepl::SetTools(const std::string& path) {
  const Result<std::string> tools = path.empty() ? Result<std::string>("") : ReadToolsFile(path);
  if (!tools.ok()) {
    PrintError(tools.status().message());
    return;
  }
  comparison_.SetTools(*tools);
  WriteNow(ToolsText(*tools) + "\n", STDOUT_FILENO);
}

void CompareRepl::SetFormat(const std::string& value) {
  const Result<std::string> format = ReadAnswerFormat(value == "off" ? "" : value);
  if (!format.ok()) {
    PrintError(format.status().message());
    return;
  }
  comparison_.SetFormat(*format);
  WriteNow(AnswerFormatText(*format, value) + "\n", STDOUT_FILENO);
}

void CompareRepl::Vote(std::string_view rest) {
  if (rest.empty()) {
    ShowTally();
    return;
  }
  if (!NamesOne(WordsFor(votes_.size(), "tie"), rest, "vote")) {
    return;
  }
  if (!open_question_) {
    PrintError("there is no answer to vote on, or it has your vote already");
    return;
  }
  open_question_ = false;
  (rest == "tie" ? ties_ : votes_[static_cast<std::size_t>(rest.front() - 'a')]) += 1;
  ShowTally();
}

void CompareRepl::ShowTally() const {
  std::string text = "Votes:";
  for (std::size_t i = 0; i < votes_.size(); ++i) {
    text += Format("{} {} {} {}", i == 0 ? "" : ",", LetterOf(i), comparison_.columns()[i].label,
                   votes_[i]);
  }
  WriteNow(Format("{}, ties {}\n", text, ties_), STDOUT_FILENO);
}

void CompareRepl::ShowMessages() const {
  for (std::size_t i = 0; i < votes_.size(); ++i) {
    WriteNow(Format("{}  {}\n", LetterOf(i), comparison_.columns()[i].label), STDOUT_FILENO);
    for (const Message& message : comparison_.messages(i)) {
      WriteNow(Format("  {}: {}{}\n", message.role, message.content, CallsText(message)),
               STDOUT_FILENO);
    }
  }
}

}  // namespace tandem
