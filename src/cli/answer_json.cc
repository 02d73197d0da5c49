#include "cli/answer_json.h"

namespace tandem {
namespace {

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value.has_value() ? Json(*value) : Json();
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
  return "stop";
}

Json AnswerToJson(const ModelFacts& facts, const Answer& answer) {
  const Sampling& s = answer.sampling;
  const Figures& f = answer.figures;
  return {{"model", facts.name},
          {"answer", answer.text},
          {"reasoning", answer.reasoning},
          {"thinking", answer.thinking},
          {"finish", FinishName(answer.finish)},
          {"seed", answer.seed},
          {"sampling",
           {{"temperature", OrNull(s.temperature)},
            {"top_k", OrNull(s.top_k)},
            {"top_p", OrNull(s.top_p)},
            {"min_p", OrNull(s.min_p)},
            {"typical_p", OrNull(s.typical_p)},
            {"repetition_penalty", OrNull(s.repetition_penalty)},
            {"presence_penalty", OrNull(s.presence_penalty)},
            {"frequency_penalty", OrNull(s.frequency_penalty)}}},
          {"figures",
           {{"prompt_tokens", f.prompt_tokens},
            {"reused_tokens", f.reused_tokens},
            {"reasoning_tokens", f.reasoning_tokens},
            {"answer_tokens", f.answer_tokens},
            {"first_token_seconds", f.first_token_seconds},
            {"prefill_seconds", f.prefill_seconds},
            {"decode_seconds", f.decode_seconds},
            {"prefill_tokens_per_second", f.prefill_tokens_per_second},
            {"decode_tokens_per_second", f.decode_tokens_per_second},
            {"memory_bytes", f.memory_bytes}}},
          {"notes", answer.notes}};
}

}  // namespace tandem
