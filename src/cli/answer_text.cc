#include "cli/answer_text.h"

#include <algorithm>

#include "base/format.h"
#include "cli/numbers.h"

namespace tandem {
namespace {

std::string Bytes(std::uint64_t bytes) {
  return FormatBytes(static_cast<double>(bytes));
}

std::string Rate(double per_second) {
  return ShortRate(per_second) + " tok/s";
}

// Line ends as spaces: those of JSON stand between its parts only.
std::string OnOneLine(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  return text;
}

}  // namespace

std::string FinishNote(const Answer& answer, const GenerateOptions& options) {
  switch (answer.finish) {
    case Finish::kLength:
      return Format("cut after {}; --max-tokens sets the limit", TokenCount(options.max_tokens));
    case Finish::kContext:
      return "cut because the context is full; --ctx sets its length";
    case Finish::kCancelled:
      return "interrupted";
    case Finish::kLoop:
      return "stopped because it repeats itself; --no-loop-check lets it go on";
    case Finish::kStop:
    case Finish::kToolCalls:
      break;
  }
  return "";
}

std::string ToolCallLine(const ToolCall& call) {
  if (call.complete) {
    return Format("calls {} {}", Printable(call.name), OnOneLine(call.arguments));
  }
  return Format("an incomplete call: {}", OnOneLine(call.raw));
}

std::string FiguresText(const Answer& answer) {
  const Figures& f = answer.figures;
  const std::string reused =
      f.reused_tokens > 0 ? Format(" ({} of them known)", WithCommas(f.reused_tokens)) : "";
  return Format(
      "prompt       {}{}, {} in {}\n"
      "first token  after {}\n"
      "thinking     {}, {}\n"
      "answer       {}, {}\n"
      "memory       {}\n"
      "finish       {}, seed {}\n",
      TokenCount(f.prompt_tokens), reused, Rate(f.prefill_tokens_per_second),
      ShortSeconds(f.prefill_seconds), ShortSeconds(f.first_token_seconds),
      answer.thinking ? "on" : "off", TokenCount(f.reasoning_tokens), TokenCount(f.answer_tokens),
      Rate(f.decode_tokens_per_second), Bytes(f.memory_bytes), FinishName(answer.finish),
      answer.seed);
}

FactTable FiguresTable(const std::vector<std::string>& labels,
                       const std::vector<ColumnResult>& results) {
  FactTable table(labels);
  table.StartSection("");
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i].error.ok()) {
      table.Set(i, "finish", "error");
      continue;
    }
    const Answer& answer = results[i].answer;
    const Figures& f = answer.figures;
    table.Set(i, "first token", ShortSeconds(f.first_token_seconds));
    table.Set(i, "prefill", Rate(f.prefill_tokens_per_second));
    table.Set(i, "decode", Rate(f.decode_tokens_per_second));
    table.Set(i, "prompt", TokenCount(f.prompt_tokens));
    table.Set(i, "thinking", answer.thinking ? "on, " + TokenCount(f.reasoning_tokens) : "off");
    table.Set(i, "answer", TokenCount(f.answer_tokens));
    table.Set(i, "memory", Bytes(f.memory_bytes));
    table.Set(i, "finish", std::string(FinishName(answer.finish)));
  }
  return table;
}

}  // namespace tandem
