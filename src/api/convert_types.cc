#include "api/convert_types.h"

#include <algorithm>
#include <utility>

#include "api/answer_json.h"
#include "plan/file_type.h"

namespace tandem {
namespace {

Finish ToFinish(const TurnResult& result) {
  if (result.looped) {
    return Finish::kLoop;
  }
  switch (result.finish) {
    case FinishReason::kMaxTokens:
      return Finish::kLength;
    case FinishReason::kContext:
      return Finish::kContext;
    case FinishReason::kCancelled:
      return Finish::kCancelled;
    default:
      break;
  }
  const bool calls = std::any_of(result.calls.begin(), result.calls.end(),
                                 [](const ParsedCall& call) { return call.complete; });
  return calls && !result.stopped_by_string ? Finish::kToolCalls : Finish::kStop;
}

// Tokens per second; 0 when there is nothing to divide.
double Rate(std::size_t tokens, double seconds) {
  return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
}

Figures ToFigures(const TurnResult& result, std::uint64_t memory_bytes) {
  const std::size_t generated = result.generated_tokens;
  const double prefill = result.prefill.count();
  const double decode = result.decode.count();
  return {.prompt_tokens = result.prompt_tokens,
          .reused_tokens = result.reused_tokens,
          .reasoning_tokens = result.reasoning_tokens,
          .answer_tokens = result.answer_tokens,
          .first_token_seconds = result.first_token.count(),
          .prefill_seconds = prefill,
          .decode_seconds = decode,
          .prefill_tokens_per_second = Rate(result.prompt_tokens - result.reused_tokens, prefill),
          // The first token comes from the prefill's last step.
          .decode_tokens_per_second = Rate(generated > 0 ? generated - 1 : 0, decode),
          .memory_bytes = memory_bytes};
}

Sampling ToSampling(const SamplingOptions& options) {
  Sampling sampling;
  sampling.temperature = options.temperature;
  sampling.top_k = options.top_k;
  sampling.top_p = options.top_p;
  sampling.min_p = options.min_p;
  sampling.typical_p = options.typical_p;
  sampling.repetition_penalty = options.repetition_penalty;
  sampling.presence_penalty = options.presence_penalty;
  sampling.frequency_penalty = options.frequency_penalty;
  sampling.logit_bias = options.logit_bias;
  sampling.seed = options.seed;
  return sampling;
}

std::string QuantisationOf(const gguf::File& file) {
  const Result<std::uint64_t> type = file.GetUint("general.file_type");
  return type.ok() ? FileTypeName(*type) : "unknown";
}

std::optional<PixelRange> ToRange(
    const std::optional<std::pair<std::uint64_t, std::uint64_t>>& pixels) {
  return pixels.has_value() ? std::optional(PixelRange{pixels->first, pixels->second})
                            : std::nullopt;
}

}  // namespace

OpenSettings ToSettings(const OpenOptions& options) {
  return {.context_tokens = options.context_tokens,
          .threads = options.threads,
          .isa = options.isa,
          .pin_threads = options.pin_threads,
          .kv = options.kv,
          .mmproj = options.mmproj,
          .image_pixels = ToRange(options.image_pixels),
          .video_pixels = ToRange(options.video_pixels),
          .image_tokens = options.image_tokens,
          .allow_url = options.allow_url,
          .allow_private_url = options.allow_private_url};
}

ThinkMode ToThinkMode(Thinking thinking) {
  switch (thinking) {
    case Thinking::kOn:
      return ThinkMode::kOn;
    case Thinking::kOff:
      return ThinkMode::kOff;
    case Thinking::kDefault:
      break;
  }
  return ThinkMode::kDefault;
}

TurnOptions ToTurnOptions(const GenerateOptions& options) {
  const Sampling& s = options.sampling;
  return {.sampling = {.temperature = s.temperature,
                       .top_k = s.top_k,
                       .top_p = s.top_p,
                       .min_p = s.min_p,
                       .typical_p = s.typical_p,
                       .repetition_penalty = s.repetition_penalty,
                       .presence_penalty = s.presence_penalty,
                       .frequency_penalty = s.frequency_penalty,
                       .logit_bias = s.logit_bias,
                       .seed = s.seed},
          .think = ToThinkMode(options.thinking),
          .max_tokens = options.max_tokens,
          .stop = options.stop,
          .format = options.format,
          .loop_check = options.loop_check,
          .tools = options.tools,
          .think_budget = options.think_budget,
          .cancel = options.cancel};
}

ToolCall ToToolCall(const ParsedCall& call) {
  return {.id = call.id,
          .name = call.name,
          .arguments = call.arguments,
          .complete = call.complete,
          .raw = call.raw};
}

bool Tell(const TurnEvent& event, const EventCallback& on_event) {
  if (!on_event) {
    return true;
  }
  const ToolCall call = event.call == nullptr ? ToolCall() : ToToolCall(*event.call);
  Event out{
      .kind = Event::Kind::kAnswer, .text = event.text, .done = event.done, .total = event.total};
  switch (event.kind) {
    case TurnEvent::Kind::kPrefill:
      out.kind = Event::Kind::kPrefill;
      break;
    case TurnEvent::Kind::kReasoning:
      out.kind = Event::Kind::kReasoning;
      break;
    case TurnEvent::Kind::kAnswer:
      break;
    case TurnEvent::Kind::kNote:
      out.kind = Event::Kind::kNote;
      break;
    case TurnEvent::Kind::kCallBegins:
      out.kind = Event::Kind::kToolCall;
      break;
    case TurnEvent::Kind::kArguments:
      out.kind = Event::Kind::kToolArguments;
      break;
    case TurnEvent::Kind::kCallEnds:
      out.kind = Event::Kind::kToolCallEnd;
      out.call = &call;
      break;
  }
  return on_event(out);
}

Answer ToAnswer(TurnResult result, std::uint64_t memory_bytes) {
  Answer answer;
  answer.finish = ToFinish(result);
  answer.thinking = result.thinking;
  answer.thinking_cut = result.thinking_cut;
  for (const ParsedCall& call : result.calls) {
    answer.tool_calls.push_back(ToToolCall(call));
  }
  answer.seed = result.sampling.seed;
  answer.sampling = ToSampling(result.sampling);
  answer.figures = ToFigures(result, memory_bytes);
  answer.text = std::move(result.answer);
  answer.reasoning = std::move(result.reasoning);
  answer.notes = std::move(result.notes);
  return answer;
}

ModelFacts ToFacts(const OpenedModel& opened) {
  const LoadedModel& loaded = *opened.loaded;
  const ModelInfo& info = loaded.network().info();
  ModelFacts facts;
  facts.name = opened.name;
  facts.architecture = info.architecture;
  facts.quantisation = QuantisationOf(loaded.file());
  for (const gguf::TensorInfo& tensor : loaded.file().tensors()) {
    facts.parameters += tensor.elements();
  }
  facts.file_bytes = loaded.file().file_bytes();
  facts.context_tokens = opened.engine.context_tokens;
  facts.context_limit = info.context_length;
  facts.kv_bytes_per_token =
      loaded.network().kv_layout(opened.engine.kv).page_bytes() / kKvPageTokens;
  facts.state_bytes = sizeof(float) * info.recurrent_floats;
  facts.isa = opened.engine.cpu.isa;
  facts.threads = opened.engine.cpu.threads;
  facts.kv = KvTypeName(opened.engine.kv);
  facts.has_thinking_switch =
      loaded.template_source().find("enable_thinking") != std::string_view::npos;
  facts.sees_images = loaded.eyes() != nullptr;
  facts.notes = opened.notes;
  return facts;
}

Conversation ToConversation(const std::vector<Message>& messages) {
  Conversation conversation;
  for (const Message& message : messages) {
    // A broken call has no place in a template: it stays in the content, as it was written.
    Message shown = message;
    for (const ToolCall& call : message.tool_calls) {
      shown.content += call.complete ? "" : call.raw;
    }
    std::erase_if(shown.tool_calls, [](const ToolCall& call) { return !call.complete; });
    conversation.messages.push_back(MessageJson(shown));
  }
  return conversation;
}

Message ToMessage(const Answer& answer) {
  return {.role = "assistant",
          .content = answer.text,
          .reasoning = answer.reasoning,
          .parts = {},
          .tool_calls = answer.tool_calls};
}

}  // namespace tandem
