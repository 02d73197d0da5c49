#include "chat/conversation.h"

#include <array>
#include <utility>

#include "base/format.h"

namespace tandem {
namespace {

Status Bad(std::string_view where, std::size_t index, std::string_view what) {
  return {StatusCode::kInvalidArgument, Format("{}: message {}: {}", where, index, what)};
}

Status CheckContent(const Json& content, std::string_view where, std::size_t index) {
  if (content.is_string() || content.is_null()) {
    return OkStatus();
  }
  if (!content.is_array()) {
    return Bad(where, index, "\"content\" must be a string, null or a list of parts");
  }
  for (const Json& part : content) {
    if (!part.is_object() && !part.is_string()) {
      return Bad(where, index, "every part of \"content\" must be an object");
    }
  }
  return OkStatus();
}

// OpenAI clients send arguments as a string that holds JSON; templates iterate an object.
Status ParseArguments(Json& call) {
  Json& function =
      call.contains("function") && call["function"].is_object() ? call["function"] : call;
  const auto arguments = function.find("arguments");
  if (arguments == function.end() || !arguments->is_string()) {
    return OkStatus();
  }
  const std::string& text = arguments->get_ref<const std::string&>();
  Json parsed = Json::object();  // what clients send as "" for a call without arguments
  if (text.find_first_not_of(" \t\r\n") != std::string::npos) {
    TANDEM_ASSIGN_OR_RETURN(parsed, ParseJson(text, "\"arguments\""));
  }
  if (!parsed.is_object()) {
    return {StatusCode::kInvalidArgument, "\"arguments\" must hold a JSON object"};
  }
  *arguments = std::move(parsed);
  return OkStatus();
}

Status CheckToolCalls(Json& message, std::string_view where, std::size_t index) {
  const auto calls = message.find("tool_calls");
  if (calls == message.end() || calls->is_null()) {
    return OkStatus();
  }
  if (!calls->is_array()) {
    return Bad(where, index, "\"tool_calls\" must be a list");
  }
  for (std::size_t i = 0; i < calls->size(); ++i) {
    Json& call = (*calls)[i];
    if (!call.is_object()) {
      return Bad(where, index, Format("\"tool_calls\"[{}] must be an object", i));
    }
    const Status parsed = ParseArguments(call);
    if (!parsed.ok()) {
      return Bad(where, index, Format("\"tool_calls\"[{}]: {}", i, parsed.message()));
    }
  }
  return OkStatus();
}

constexpr std::string_view kSpace = " \t\r\n\f\v";

struct SwitchWord {
  std::string_view word;
  bool thinking;
};
constexpr std::array<SwitchWord, 3> kSwitchWords = {
    {{"/no_think", false}, {"/nothink", false}, {"/think", true}}};

std::optional<bool> SwitchOf(std::string_view word) {
  for (const SwitchWord& row : kSwitchWords) {
    if (row.word == word) {
      return row.thinking;
    }
  }
  return std::nullopt;
}

// The first word; what follows it with the white space between goes to `rest`.
std::optional<bool> TakeFirst(std::string& text) {
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string::npos) {
    return std::nullopt;
  }
  const std::size_t end = std::min(text.size(), text.find_first_of(kSpace, begin));
  const std::optional<bool> found = SwitchOf(std::string_view(text).substr(begin, end - begin));
  if (found.has_value()) {
    text.erase(0, std::min(text.size(), text.find_first_not_of(kSpace, end)));
  }
  return found;
}

std::optional<bool> TakeLast(std::string& text) {
  const std::size_t last = text.find_last_not_of(kSpace);
  if (last == std::string::npos) {
    return std::nullopt;
  }
  const std::size_t space = text.find_last_of(kSpace, last);
  const std::size_t begin = space == std::string::npos ? 0 : space + 1;
  const std::optional<bool> found =
      SwitchOf(std::string_view(text).substr(begin, last + 1 - begin));
  if (found.has_value()) {
    const std::size_t kept =
        begin == 0 ? std::string::npos : text.find_last_not_of(kSpace, begin - 1);
    text.erase(kept == std::string::npos ? 0 : kept + 1);
  }
  return found;
}

bool IsTextPart(const Json& part) {
  return part.is_object() && part.contains("text") && part["text"].is_string();
}

// The texts of a message that hold a word, in order.
std::vector<std::string*> TextsOf(Json& message) {
  std::vector<std::string*> texts;
  Json& content = message["content"];
  if (content.is_string()) {
    texts.push_back(content.get_ptr<std::string*>());
  } else if (content.is_array()) {
    for (Json& part : content) {
      if (IsTextPart(part)) {
        texts.push_back(part["text"].get_ptr<std::string*>());
      } else if (part.is_string()) {
        texts.push_back(part.get_ptr<std::string*>());
      }
    }
  }
  std::erase_if(texts, [](const std::string* text) {
    return text->find_first_not_of(kSpace) == std::string::npos;
  });
  return texts;
}

}  // namespace

std::string_view RoleOf(const Json& message) {
  const auto role = message.find("role");  // none in what is not an object
  return role != message.end() && role->is_string()
             ? std::string_view(role->get_ref<const std::string&>())
             : std::string_view();
}

Result<Conversation> ParseConversation(std::string_view json, std::string_view where) {
  TANDEM_ASSIGN_OR_RETURN(Json parsed, ParseJson(json, where));
  Conversation conversation;
  if (parsed.is_object()) {
    if (!parsed.contains("messages")) {
      return Status(StatusCode::kInvalidArgument,
                    Format("{}: the object has no \"messages\"", where));
    }
    if (parsed.contains("tools")) {
      conversation.tools = std::move(parsed["tools"]);
    }
    Json messages = std::move(parsed["messages"]);
    parsed = std::move(messages);
  }
  if (!parsed.is_array()) {
    return Status(StatusCode::kInvalidArgument, Format("{}: messages must be a list", where));
  }
  if (!conversation.tools.is_null() && !conversation.tools.is_array()) {
    return Status(StatusCode::kInvalidArgument, Format("{}: \"tools\" must be a list", where));
  }
  for (std::size_t i = 0; i < parsed.size(); ++i) {
    Json& message = parsed[i];
    if (!message.is_object()) {
      return Bad(where, i, "must be an object");
    }
    if (!message.contains("role") || !message["role"].is_string()) {
      return Bad(where, i, "\"role\" must be a string");
    }
    if (message.contains("content")) {
      TANDEM_RETURN_IF_ERROR(CheckContent(message["content"], where, i));
    } else if (!message.contains("tool_calls")) {
      return Bad(where, i, "\"content\" is missing");
    }
    TANDEM_RETURN_IF_ERROR(CheckToolCalls(message, where, i));
  }
  conversation.messages = std::move(parsed);
  return conversation;
}

std::optional<bool> TakeSoftSwitch(Conversation& conversation) {
  std::optional<bool> decided;
  for (Json& message : conversation.messages) {
    if (RoleOf(message) != "user" || !message.contains("content")) {
      continue;
    }
    const std::vector<std::string*> texts = TextsOf(message);
    if (texts.empty()) {
      continue;
    }
    const std::optional<bool> first = TakeFirst(*texts.front());
    const std::optional<bool> last = TakeLast(*texts.back());
    if (last.has_value() || first.has_value()) {
      decided = last.has_value() ? last : first;
    }
  }
  return decided;
}

}  // namespace tandem
