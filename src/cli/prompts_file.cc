#include "cli/prompts_file.h"

#include <utility>

#include "base/format.h"
#include "cli/input_text.h"
#include "cli/model_options.h"
#include "io/file.h"
#include "io/json.h"

namespace tandem {
namespace {

Result<PromptCase> ParseLine(std::string_view line, const std::string& where) {
  TANDEM_RETURN_IF_ERROR(CheckUtf8(line, where));
  TANDEM_ASSIGN_OR_RETURN(const Json value, ParseJson(line, where));
  const Json* prompt = &value;
  std::string tools;
  if (value.is_object() && value.contains("tools")) {
    TANDEM_ASSIGN_OR_RETURN(tools, ToolsIn(line, where));
  }
  if (value.is_object() && value.contains("messages")) {
    Result<std::vector<Message>> messages = ParseMessages(line);
    if (!messages.ok()) {
      return Status(messages.status().code(), Format("{}: {}", where, messages.status().message()));
    }
    if (messages->empty()) {
      return Status(StatusCode::kInvalidArgument, Format("{}: there are no messages", where));
    }
    std::string text = messages->back().content;
    for (const ContentPart& part : messages->back().parts) {
      text += (text.empty() ? "" : " ") + part.value;
    }
    return PromptCase{
        .messages = std::move(*messages), .text = std::move(text), .tools = std::move(tools)};
  }
  if (value.is_object() && value.contains("prompt")) {
    prompt = &value["prompt"];
  }
  if (!prompt->is_string()) {
    return Status(StatusCode::kInvalidArgument,
                  Format("{}: a prompt is a JSON string, {{\"prompt\": \"...\"}} or "
                         "{{\"messages\": [...]}}",
                         where));
  }
  const std::string text = prompt->get<std::string>();
  return PromptCase{.messages = {{.role = "user", .content = text, .reasoning = ""}},
                    .text = text,
                    .tools = std::move(tools)};
}

}  // namespace

Result<std::vector<PromptCase>> ParsePrompts(std::string_view text, std::string_view where) {
  std::vector<PromptCase> cases;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
      continue;
    }
    TANDEM_ASSIGN_OR_RETURN(PromptCase item, ParseLine(line, Format("{}:{}", where, number)));
    cases.push_back(std::move(item));
  }
  if (cases.empty()) {
    return Status(StatusCode::kInvalidArgument, Format("{}: there is no prompt in it", where));
  }
  return cases;
}

Result<std::vector<PromptCase>> ReadPromptsFile(const std::string& path) {
  TANDEM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParsePrompts(text, path);
}

}  // namespace tandem
