#include "chat/prompt.h"

#include <algorithm>

#include "base/format.h"
#include "base/trim.h"
#include "chat/stream_tags.h"
#include "chat/tool_definitions.h"

namespace tandem {
namespace {

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
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

// The inner objects of {"type": "function", "function": {..}}, which is the form of the Phi cards.
Json WithoutFunctionWrappers(const Json& tools) {
  Json out = Json::array();
  for (const Json& tool : tools) {
    const auto function = tool.find("function");  // none in what is not an object
    const bool wrapped = function != tool.end() && function->is_object();
    out.push_back(wrapped ? *function : tool);
  }
  return out;
}

void MoveToolsIntoSystemMessage(Conversation& conversation) {
  Json& system = SystemMessage(conversation.messages);
  if (!system.contains("tools") || system["tools"].is_null()) {
    system["tools"] = DumpAsPython(WithoutFunctionWrappers(conversation.tools));
  }
  conversation.tools = nullptr;
}

// Stand-ins for the marks around calls while a template that knows no calls renders them as
// content, which is data; afterwards the marks take their places as trusted text.
struct CallMarks {
  std::string open;
  std::string close;
};

// Texts that occur nowhere in the conversation: of two code points that stand for no character.
CallMarks StandInsFor(const Json& messages) {
  const std::string all = messages.dump(-1, ' ', false, Json::error_handler_t::replace);
  CallMarks marks{.open = "\xEF\xB7\x90", .close = "\xEF\xB7\x91"};
  while (Contains(all, marks.open) || Contains(all, marks.close)) {
    marks.open += "\xEF\xB7\x92";
    marks.close += "\xEF\xB7\x92";
  }
  return marks;
}

void AppendText(Json& content, const std::string& text) {
  if (content.is_array()) {
    content.push_back({{"type", "text"}, {"text", text}});
  } else {
    content = (content.is_string() ? content.get<std::string>() : std::string()) + text;
  }
}

// For the Phi family, whose templates know neither calls nor their results: calls become a list
// behind the content (models.md 8.2), and results turns of the role that has a token of its own,
// since <|tool|> stands around definitions.
void WriteCallsIntoContent(Json& messages, const CallMarks& marks) {
  for (Json& message : messages) {
    if (RoleOf(message) == "tool") {
      message["role"] = "tool_response";
    }
    const auto calls = message.find("tool_calls");  // none in what is not an object
    if (calls == message.end() || !calls->is_array() || calls->empty()) {
      continue;
    }
    Json list = Json::array();
    for (const Json& call : WithoutFunctionWrappers(*calls)) {
      Json& item = list.emplace_back(Json::object());
      for (const char* field : {"name", "arguments"}) {
        if (call.is_object() && call.contains(field)) {
          item[field] = call[field];
        }
      }
    }
    AppendText(message["content"], marks.open + DumpAsPython(list) + marks.close);
  }
}

// Puts `text`, trusted, in every place of `stand_in`.
void PutTrusted(const std::string& stand_in, std::string_view text, text::Rendered& rendered) {
  text::Rendered out;
  const auto add = [&out](std::string_view part, bool trusted) {
    if (!part.empty()) {
      out.spans.push_back({out.text.size(), out.text.size() + part.size(), trusted});
      out.text += part;
    }
  };
  for (const text::RenderedSpan& span : rendered.spans) {
    std::string_view left =
        std::string_view(rendered.text).substr(span.begin, span.end - span.begin);
    for (std::size_t at = left.find(stand_in); at != std::string_view::npos;
         at = left.find(stand_in)) {
      add(left.substr(0, at), span.trusted);
      add(text, true);
      left.remove_prefix(at + stand_in.size());
    }
    add(left, span.trusted);
  }
  rendered = std::move(out);
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
  text::RenderOptions render_options = render;
  std::optional<CallMarks> marks;
  if (WantsToolsInSystemMessage(chat_template, options.template_source)) {
    if (!conversation.tools.is_null()) {
      MoveToolsIntoSystemMessage(conversation);
    }
    if (!Contains(options.template_source, "tool_calls")) {
      marks = StandInsFor(conversation.messages);
      WriteCallsIntoContent(conversation.messages, *marks);
      render_options.trusted_roles.emplace_back("tool_response");
    }
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
  auto rendered = chat_template.Render(variables, render_options);
  if (rendered.ok() && marks.has_value()) {
    PutTrusted(marks->open, "<|tool_call|>", rendered.value());
    PutTrusted(marks->close, "<|/tool_call|>", rendered.value());
  }
  return rendered;
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
  const std::string_view end = TrimmedEnd(rendered.text);
  prompt.starts_in_reasoning = trusted_end && end.ends_with(kThinkOpen);
  prompt.opens_reasoning = options.opens_thinking && !prompt.starts_in_reasoning &&
                           !(trusted_end && end.ends_with(kThinkClose));
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
  return prompt.ok() && prompt->thinks();
}

}  // namespace tandem
