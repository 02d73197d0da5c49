#include "cli/repl/compare_repl.h"

#include <unistd.h>

#include <numeric>
#include <utility>

#include "base/format.h"
#include "cli/answer_format_option.h"
#include "cli/command.h"
#include "cli/numbers.h"

namespace tandem {
namespace {

char LetterOf(std::size_t column) {
  return static_cast<char>('a' + column);
}

std::vector<std::string> VoteWords(std::size_t columns) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < columns; ++i) {
    words.emplace_back(1, LetterOf(i));
  }
  words.emplace_back("tie");
  return words;
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
                         const Terminal& terminal, InterruptGuard& interrupt, Turn turn)
    : comparison_(comparison),
      beginning_(std::move(beginning)),
      turn_(std::move(turn)),
      votes_(comparison.columns().size()),
      repl_(terminal, interrupt, Commands(),
            {.answer = [this](const std::string& message) { Ask(message); }}) {
  comparison_.Restart(beginning_);
}

std::vector<ReplCommand> CompareRepl::Commands() {
  return {
      {.name = "/vote",
       .arguments = "a|b|tie",
       .help = "say whose answer was better; alone: how the votes stand",
       .run = [this](std::string_view rest) { Vote(rest); },
       .words = VoteWords(comparison_.columns().size())},
      {.name = "/set",
       .arguments = "format json|FILE|off",
       .help = "answers are JSON, or fit the JSON Schema in the file",
       .run = [this](std::string_view rest) { Set(rest); },
       .words = {"format"}},
      {.name = "/show",
       .arguments = "",
       .help = "the conversations so far",
       .run = [this](std::string_view) { ShowMessages(); }},
      {.name = "/clear",
       .arguments = "",
       .help = "forget the conversations; the votes stay",
       .run =
           [this](std::string_view) {
             comparison_.Restart(beginning_);
             open_question_ = false;
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
  const std::vector<ColumnResult> results = turn_(message);
  open_question_ = false;
  for (const ColumnResult& result : results) {
    open_question_ = open_question_ || result.error.ok();
  }
}

void CompareRepl::Set(std::string_view rest) {
  constexpr std::string_view kFormat = "format ";
  if (!rest.starts_with(kFormat)) {
    PrintError("/set format json, FILE or off is what can be set");
    return;
  }
  const std::string value(rest.substr(kFormat.size()));
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
  const std::vector<std::string> words = VoteWords(votes_.size());
  std::size_t choice = 0;
  while (choice < words.size() && words[choice] != rest) {
    ++choice;
  }
  if (choice == words.size()) {
    std::string known;
    for (const std::string& word : words) {
      known += (known.empty() ? "" : ", ") + word;
    }
    PrintError(Format("'{}' is no vote; it takes one of {}", Printable(rest), known));
    return;
  }
  if (!open_question_) {
    PrintError("there is no answer to vote on, or it has your vote already");
    return;
  }
  open_question_ = false;
  (choice == votes_.size() ? ties_ : votes_[choice]) += 1;
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
      WriteNow(Format("  {}: {}\n", message.role, message.content), STDOUT_FILENO);
    }
  }
}

}  // namespace tandem
