#include "cli/tool_calls.h"

#include <algorithm>
#include <iterator>

#include "base/format.h"
#include "cli/answer_text.h"
#include "io/json.h"

namespace tandem {

std::vector<ToolCall> WaitingCalls(const std::vector<Message>& messages) {
  std::size_t results = 0;
  auto last = messages.rbegin();
  for (; last != messages.rend() && last->role == "tool"; ++last) {
    ++results;
  }
  std::vector<ToolCall> calls;
  if (last != messages.rend() && last->role == "assistant") {
    std::copy_if(last->tool_calls.begin(), last->tool_calls.end(), std::back_inserter(calls),
                 [](const ToolCall& call) { return call.complete; });
  }
  calls.erase(calls.begin(),
              calls.begin() + static_cast<std::ptrdiff_t>(std::min(results, calls.size())));
  return calls;
}

Message ResultOf(const ToolCall& call, std::string_view text) {
  return {.role = "tool",
          .content = std::string(text),
          .reasoning = "",
          .parts = {},
          .tool_calls = {},
          .tool_call_id = call.id,
          .name = call.name};
}

std::string ToolNames(const std::string& tools) {
  std::string names;
  const Result<Json> list = ParseJson(tools.empty() ? "[]" : tools, "tools");
  for (const Json& tool : list.ok() ? *list : Json::array()) {
    const Json& function = tool.contains("function") ? tool["function"] : tool;
    names += (names.empty() ? "" : ", ") + function["name"].get<std::string>();
  }
  return names;
}

std::string ToolsText(const std::string& tools) {
  return tools.empty() ? "There are no tools." : Format("The tools are {}.", ToolNames(tools));
}

std::string CallsText(const Message& message) {
  std::string text;
  for (const ToolCall& call : message.tool_calls) {
    text +=
        Format("{}[{}]", message.content.empty() && text.empty() ? "" : " ", ToolCallLine(call));
  }
  return text;
}

std::string_view WithoutFence(std::string_view text) {
  constexpr std::string_view kFence = "\"\"\"";
  if (text.size() >= 2 * kFence.size() && text.starts_with(kFence) && text.ends_with(kFence)) {
    text = text.substr(kFence.size(), text.size() - 2 * kFence.size());
  }
  return text;
}

}  // namespace tandem
