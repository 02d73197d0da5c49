#include "api/answer_json.h"

#include <cmath>

#include "base/format.h"

namespace tandem {
namespace {

Json FiguresJson(const Figures& f) {
  return {{"prompt_tokens", f.prompt_tokens},
          {"reused_tokens", f.reused_tokens},
          {"read_ahead_tokens", f.read_ahead_tokens},
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
    case Finish::kLoop:
      return "loop";
    case Finish::kToolCalls:
      return "tool_calls";
  }
  return "unknown";
}

Json ToolCallJson(const ToolCall& call) {
  const Result<Json> arguments = ParseJson(call.arguments, "arguments");
  Json object = {
      {"id", call.id},
      {"type", "function"},
      {"function",
       {{"name", call.name}, {"arguments", arguments.ok() ? *arguments : Json::object()}}}};
  if (!call.complete) {
    object["complete"] = false;
    object["raw"] = call.raw;
  }
  return object;
}

namespace {

Json ToolCallsJson(const std::vector<ToolCall>& calls) {
  Json list = Json::array();
  for (const ToolCall& call : calls) {
    list.push_back(ToolCallJson(call));
  }
  return list;
}

}  // namespace

Json AnswerJson(const std::string& model, const Answer& answer) {
  return {{"model", model},
          {"answer", answer.text},
          {"reasoning", answer.reasoning},
          {"thinking", answer.thinking},
          {"thinking_cut", answer.thinking_cut},
          {"tool_calls", ToolCallsJson(answer.tool_calls)},
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

Json MessageJson(const Message& message) {
  Json object = {{"role", message.role}};
  if (message.parts.empty()) {
    object["content"] = message.content;
  } else {
    Json& content = object["content"] = Json::array();
    for (const ContentPart& part : message.parts) {
      const char* type = part.kind == ContentPart::Kind::kText    ? "text"
                         : part.kind == ContentPart::Kind::kImage ? "image"
                                                                  : "video";
      content.push_back({{"type", type}, {type, part.value}});
    }
  }
  if (!message.reasoning.empty()) {
    object["reasoning_content"] = message.reasoning;
  }
  if (!message.tool_calls.empty()) {
    object["tool_calls"] = ToolCallsJson(message.tool_calls);
  }
  if (!message.tool_call_id.empty()) {
    object["tool_call_id"] = message.tool_call_id;
  }
  if (!message.name.empty()) {
    object["name"] = message.name;
  }
  return object;
}

Json FactsJson(const ModelFacts& facts) {
  return {{"name", facts.name},
          {"architecture", facts.architecture},
          {"quantisation", facts.quantisation},
          {"parameters", facts.parameters},
          {"file_bytes", facts.file_bytes},
          {"context_tokens", facts.context_tokens},
          {"context_limit", facts.context_limit},
          {"kv_bytes_per_token", facts.kv_bytes_per_token},
          {"state_bytes", facts.state_bytes},
          {"isa", facts.isa},
          {"threads", facts.threads},
          {"kv", facts.kv},
          {"has_thinking_switch", facts.has_thinking_switch},
          {"sees_images", facts.sees_images},
          {"notes", facts.notes}};
}

Json SessionMemoryJson(const SessionMemory& memory) {
  return {{"tokens", memory.tokens},
          {"cache_bytes", memory.cache_bytes},
          {"state_bytes", memory.state_bytes},
          {"snapshots", memory.snapshots},
          {"snapshot_bytes", memory.snapshot_bytes},
          {"snapshot_budget", memory.snapshot_budget}};
}

Json PlanJson(const MemoryPlan& plan) {
  return {{"context_tokens", plan.context_tokens},
          {"weights_bytes", plan.weights},
          {"cache_bytes", plan.cache},
          {"state_bytes", plan.state},
          {"working_bytes", plan.working},
          {"vision_bytes", plan.vision},
          {"program_bytes", plan.program},
          {"total_bytes", plan.total},
          {"available_bytes", plan.available},
          {"largest_context_tokens", plan.largest_context_tokens},
          {"context_limit", plan.context_limit},
          {"fits", plan.total <= plan.available}};
}

}  // namespace tandem
