#include "chat/prompt.h"

#include <algorithm>

#include "base/format.h"

namespace tandem {
namespace {

bool Contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// JSON as Python's json.dumps writes it with ensure_ascii off: ", " and ": " between, keys in order.
void Dump(const Json& value, std::string& out) {
  if (value.is_object()) {
    out += '{';
    bool first = true;
    for (const auto& [key, item] : value.items()) {
      out += first ? "" : ", ";
      first = false;
      out += Json(key).dump(-1, ' ', false, Json::error_handler_t::replace) + ": ";
      Dump(item, out);
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      out += i == 0 ? "" : ", ";
      Dump(value[i], out);
    }
    out += ']';
  } else {
    out += value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

// Templates of the Phi family read the tools of the system message, as text, and ignore the variable of that name
// (models.md 8.2).
bool WantsToolsInSystemMessage(std::string_view source) {
  const bool of_message = Contains(source, "message['tools']") || Contains(source, "message[\"tools\"]") ||
                          Contains(source, "message.tools");
  const bool of_variable = Contains(source, "if tools") || Contains(source, "in tools") || Contains(source, "tools |");
  return of_message && !of_variable;
}

void MoveToolsIntoSystemMessage(Conversation& conversation) {
  std::string tools;
  Dump(conversation.tools, tools);
  Json& messages = conversation.messages;
  if (messages.empty() || messages.front().value("role", "") != "system") {
    Json system = {{"role", "system"}, {"content", "You are a helpful assistant with some tools."}};
    messages.insert(messages.begin(), std::move(system));
  }
  if (!messages.front().contains("tools")) {
    messages.front()["tools"] = std::move(tools);
  }
  conversation.tools = nullptr;
}

// Text up to the last byte, without the white space behind it.
std::string_view TrimEnd(std::string_view text) {
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

bool EndsInThinkBlock(std::string_view text) {
  constexpr std::string_view kOpen = "<think>";
  const std::string_view trimmed = TrimEnd(text);
  return trimmed.size() >= kOpen.size() && trimmed.substr(trimmed.size() - kOpen.size()) == kOpen;
}

// A turn begins with a control token: the first of the prompt, and every later one that opens a turn as the first one
// does in ChatML (the same token), or that follows the end of a turn.
std::vector<std::size_t> FindBorders(const text::Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  std::vector<std::size_t> borders;
  if (ids.empty() || !tokenizer.IsControl(ids.front())) {
    return borders;
  }
  const std::string_view opener = tokenizer.TokenBytes(ids.front());
  const bool chat_ml = opener == "<|im_start|>";
  const std::optional<TokenId> end = tokenizer.Find("<|end|>");
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const bool after_end = i > 0 && end.has_value() && ids[i - 1] == *end;
    if (chat_ml ? ids[i] == ids.front() : i == 0 || (after_end && tokenizer.IsControl(ids[i]))) {
      borders.push_back(i);
    }
  }
  return borders;
}

}  // namespace

text::TemplateResult<text::Rendered> RenderConversation(const text::Template& chat_template, Conversation conversation,
                                                        const PromptOptions& options,
                                                        const text::RenderOptions& render) {
  std::optional<bool> thinking = TakeSoftSwitch(conversation);
  if (options.think != ThinkMode::kDefault) {
    thinking = options.think == ThinkMode::kOn;
  }
  if (!conversation.tools.is_null() && WantsToolsInSystemMessage(options.template_source)) {
    MoveToolsIntoSystemMessage(conversation);
  }
  Json variables = {{"messages", std::move(conversation.messages)},
                    {"add_generation_prompt", true},
                    {"bos_token", options.bos_text},
                    {"eos_token", options.eos_text}};
  if (!conversation.tools.is_null()) {
    variables["tools"] = std::move(conversation.tools);
  }
  if (thinking.has_value()) {
    variables["enable_thinking"] = *thinking;
  }
  return chat_template.Render(variables, render);
}

Result<Prompt> BuildPrompt(const text::Template& chat_template, const text::Tokenizer& tokenizer,
                           Conversation conversation, const PromptOptions& options) {
  auto result = RenderConversation(chat_template, std::move(conversation), options);
  if (!result.ok()) {
    return Status(StatusCode::kInvalidArgument,
                  "the chat template refuses this conversation: " + text::Describe(result.error()));
  }
  text::Rendered rendered = std::move(result).value();
  std::vector<text::Tokenizer::Span> spans;
  for (const text::RenderedSpan& span : rendered.spans) {
    spans.push_back({std::string_view(rendered.text).substr(span.begin, span.end - span.begin), span.trusted});
  }
  Prompt prompt;
  prompt.ids = tokenizer.Encode(spans);
  prompt.borders = FindBorders(tokenizer, prompt.ids);
  const bool trusted_end = !rendered.spans.empty() && rendered.spans.back().trusted;
  prompt.starts_in_reasoning = trusted_end && EndsInThinkBlock(rendered.text);
  prompt.text = std::move(rendered.text);
  return prompt;
}

bool ThinksByDefault(const text::Template& chat_template, const text::Tokenizer& tokenizer,
                     const PromptOptions& options) {
  Conversation hello;
  hello.messages.push_back({{"role", "user"}, {"content", "Hello"}});
  PromptOptions plain = options;
  plain.think = ThinkMode::kDefault;
  const Result<Prompt> prompt = BuildPrompt(chat_template, tokenizer, std::move(hello), plain);
  return prompt.ok() && prompt->starts_in_reasoning;
}

}  // namespace tandem
