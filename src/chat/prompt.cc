#include "chat/prompt.h"

#include <algorithm>

#include "base/format.h"

namespace tandem {
namespace {

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// JSON as Python's json.dumps writes it with ensure_ascii off: ", " and ": " between, keys in
// order.
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

// Templates of the Phi family read the tools of the system message, as text, and ignore the
// variable of that name (models.md 8.2).
bool WantsToolsInSystemMessage(const text::Template& chat_template, std::string_view source) {
  const bool of_message = Contains(source, "['tools']") || Contains(source, "[\"tools\"]") ||
                          Contains(source, ".tools");
  return of_message && !chat_template.Mentions("tools");
}

// The first system message, put in front of all when there is none.
Json& SystemMessage(Json& messages) {
  for (Json& message : messages) {
    if (RoleOf(message) == "system") {
      return message;
    }
  }
  Json system = {{"role", "system"}, {"content", "You are a helpful assistant with some tools."}};
  return *messages.insert(messages.begin(), std::move(system));
}

void MoveToolsIntoSystemMessage(Conversation& conversation) {
  Json& system = SystemMessage(conversation.messages);
  if (!system.contains("tools") || system["tools"].is_null()) {
    std::string tools;
    Dump(conversation.tools, tools);
    system["tools"] = std::move(tools);
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

// The last control token opens the answer, so the one before it ended a turn, and each control
// token that follows such an end opens a turn, as does the first of the prompt. In ChatML both are
// one token each; Phi's openers differ by role.
std::vector<std::size_t> FindBorders(const text::Tokenizer& tokenizer,
                                     const std::vector<TokenId>& ids) {
  std::vector<std::size_t> controls;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (tokenizer.IsControl(ids[i])) {
      controls.push_back(i);
    }
  }
  std::vector<std::size_t> borders;
  if (controls.size() < 2 || controls.front() != 0) {
    return borders;
  }
  const TokenId turn_end = ids[controls[controls.size() - 2]];
  for (std::size_t k = 0; k < controls.size(); ++k) {
    if (k == 0 || ids[controls[k - 1]] == turn_end) {
      borders.push_back(controls[k]);
    }
  }
  return borders;
}

std::vector<TokenId> EncodeRendered(const text::Tokenizer& tokenizer,
                                    const text::Rendered& rendered) {
  std::vector<text::Tokenizer::Span> spans;
  for (const text::RenderedSpan& span : rendered.spans) {
    spans.push_back(
        {std::string_view(rendered.text).substr(span.begin, span.end - span.begin), span.trusted});
  }
  return tokenizer.Encode(spans);
}

}  // namespace

text::TemplateResult<text::Rendered> RenderConversation(const text::Template& chat_template,
                                                        Conversation conversation,
                                                        const PromptOptions& options,
                                                        const text::RenderOptions& render) {
  std::optional<bool> thinking = TakeSoftSwitch(conversation);
  if (options.think != ThinkMode::kDefault) {
    thinking = options.think == ThinkMode::kOn;
  }
  if (!conversation.tools.is_null() &&
      WantsToolsInSystemMessage(chat_template, options.template_source)) {
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
  Prompt prompt;
  if (options.media.empty()) {
    prompt.ids = EncodeRendered(tokenizer, rendered);
    prompt.rows = prompt.ids;
  } else {
    TANDEM_ASSIGN_OR_RETURN(ExpandedPrompt expanded,
                            ExpandMedia(rendered, tokenizer, options.media, options.media_merge));
    prompt.ids = std::move(expanded.ids);
    prompt.rows = std::move(expanded.rows);
    prompt.positions = std::move(expanded.positions);
    prompt.runs = std::move(expanded.runs);
  }
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
  plain.media = {};
  const Result<Prompt> prompt = BuildPrompt(chat_template, tokenizer, std::move(hello), plain);
  return prompt.ok() && prompt->starts_in_reasoning;
}

}  // namespace tandem
