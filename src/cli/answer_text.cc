#include "cli/answer_text.h"

#include <cmath>

#include "base/format.h"
#include "cli/numbers.h"

namespace tandem {
namespace {

Json FiguresJson(const Figures& f) {
  return {{"prompt_tokens", f.prompt_tokens},
          {"reused_tokens", f.reused_tokens},
          {"reasoning_tokens", f.reasoning_tokens},
          {"answer_tokens", f.answer_tokens},
          {"first_token_seconds", f.first_token_seconds},
          {"prefill_seconds", f.prefill_seconds},
          {"decode_seconds", f.decode_seconds},
          {"prefill_tokens_per_second", f.prefill_tokens_per_second},
          {"decode_tokens_per_second", f.decode_tokens_per_second},
          {"memory_bytes", f.memory_bytes}};
}

// The shortest decimal that gives the same float: 0.6, not 0.6000000238418579. JSON has no
// infinity: a bias that forbids a token is the text "-inf", as --logit-bias takes it.
Json FloatJson(const std::optional<float>& value) {
  if (!value.has_value()) {
    return {};
  }
  if (std::isinf(*value)) {
    return *value < 0 ? "-inf" : "inf";
  }
  const Json number = Json::parse(Format("{}", *value), nullptr, false);
  return number.is_number() ? number : Json();
}

Json SamplingJson(const Sampling& s) {
  Json bias = Json::object();
  for (const auto& [id, value] : s.logit_bias) {
    bias[std::to_string(id)] = FloatJson(value);
  }
  return {{"temperature", FloatJson(s.temperature)},
          {"top_k", s.top_k.value_or(0)},
          {"top_p", FloatJson(s.top_p)},
          {"min_p", FloatJson(s.min_p)},
          {"typical_p", FloatJson(s.typical_p)},
          {"repetition_penalty", FloatJson(s.repetition_penalty)},
          {"presence_penalty", FloatJson(s.presence_penalty)},
          {"frequency_penalty", FloatJson(s.frequency_penalty)},
          {"logit_bias", bias}};
}

std::string Bytes(std::uint64_t bytes) {
  return FormatBytes(static_cast<double>(bytes));
}

std::string Rate(double per_second) {
  return ShortRate(per_second) + " tok/s";
}

}  // namespace

std::string_view FinishName(Finish finish) {
  switch (finish) {
    case Finish::kStop:
      return "stop";
    case Finish::kLength:
      return "length";
    case Finish::kContext:
      return "context";
    case Finish::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

std::string FinishNote(const Answer& answer, const GenerateOptions& options) {
  switch (answer.finish) {
    case Finish::kLength:
      return Format("cut after {}; --max-tokens sets the limit", TokenCount(options.max_tokens));
    case Finish::kContext:
      return "cut because the context is full; --ctx sets its length";
    case Finish::kCancelled:
      return "interrupted";
    case Finish::kStop:
      break;
  }
  return "";
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

Json AnswerJson(const std::string& model, const Answer& answer) {
  return {{"model", model},
          {"answer", answer.text},
          {"reasoning", answer.reasoning},
          {"thinking", answer.thinking},
          {"finish", FinishName(answer.finish)},
          {"seed", answer.seed},
          {"sampling", SamplingJson(answer.sampling)},
          {"figures", FiguresJson(answer.figures)},
          {"notes", answer.notes}};
}

Json ColumnJson(const std::string& label, const ColumnResult& result) {
  Json object = {{"label", label}};
  if (!result.error.ok()) {
    object["model"] = result.facts.name;
    object["error"] = result.error.message();
    return object;
  }
  object.update(AnswerJson(result.facts.name, result.answer));
  return object;
}

std::string DumpJson(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace tandem
