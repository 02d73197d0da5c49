#include "chat/json_call.h"

#include <algorithm>

#include "chat/tool_definitions.h"
#include "io/json.h"

namespace tandem {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

// Of an object that holds a call, itself or under "function".
std::optional<JsonCall::Call> ReadCall(const Json& object) {
  const auto name = object.find("name");
  if (name == object.end() || !name->is_string()) {
    const auto function = object.find("function");
    return function != object.end() && function->is_object() && function->contains("name")
               ? ReadCall(*function)
               : std::nullopt;
  }
  JsonCall::Call call{.name = name->get<std::string>(), .arguments = "{}", .has_arguments = false};
  for (const char* key : {"arguments", "parameters"}) {
    const auto found = object.find(key);
    if (found == object.end()) {
      continue;
    }
    call.has_arguments = true;
    if (found->is_null()) {
      return call;
    }
    if (found->is_object()) {
      call.arguments = DumpAsPython(*found);
      return call;
    }
    if (!found->is_string()) {
      return std::nullopt;
    }
    const std::string& text = found->get_ref<const std::string&>();
    if (text.find_first_not_of(kBlank) == std::string::npos) {
      return call;
    }
    const Result<Json> inner = ParseJson(text, "arguments");
    if (!inner.ok() || !inner->is_object()) {
      return std::nullopt;
    }
    call.arguments = text;
    return call;
  }
  return call;
}

}  // namespace

std::string_view JsonCall::arguments() const {
  if (arguments_begin_ == 0) {
    return {};
  }
  const std::size_t end = arguments_end_ != 0 ? arguments_end_ : text_.size();
  return std::string_view(text_).substr(arguments_begin_, end - arguments_begin_);
}

std::size_t JsonCall::Push(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '<' && !in_string_) {
      return i;
    }
    text_ += text[i];
    if (in_string_) {
      OnString(text[i]);
    } else {
      OnOther(text[i]);
    }
    if (depth_ == 0) {
      return i + 1;
    }
  }
  return text.size();
}

void JsonCall::OnString(char c) {
  if (escaped_) {
    escaped_ = false;
  } else if (c == '\\') {
    escaped_ = true;
  } else if (c == '"') {
    in_string_ = false;
    if (depth_ != 1) {
      return;
    }
    if (part_ == Part::kKey) {
      key_ = text_.substr(begin_, text_.size() - 1 - begin_);
      part_ = Part::kColon;
    } else if (in_value_) {
      EndValue();
    }
  }
}

void JsonCall::BeginValue() {
  if (depth_ == 1 && part_ == Part::kValue && !in_value_) {
    in_value_ = true;
    begin_ = text_.size() - 1;
    if (InArguments() && text_.back() == '{' && arguments_begin_ == 0) {
      arguments_begin_ = begin_;
    }
  }
}

void JsonCall::EndValue() {
  in_value_ = false;
  const std::string_view value = std::string_view(text_).substr(begin_);
  if (key_ == "name" && value.starts_with('"') && !name_.has_value()) {
    const Result<Json> name = ParseJson(value, "name");
    if (name.ok() && name->is_string()) {
      name_ = name->get<std::string>();
    }
  }
  if (arguments_begin_ == begin_ && arguments_begin_ != 0) {
    arguments_end_ = text_.size();
  }
  part_ = Part::kKey;
}

void JsonCall::OnOther(char c) {
  switch (c) {
    case '"':
      in_string_ = true;
      BeginValue();
      if (depth_ == 1 && part_ == Part::kKey) {
        begin_ = text_.size();
      }
      return;
    case '{':
    case '[':
      BeginValue();
      ++depth_;
      return;
    case '}':
    case ']':
      --depth_;
      if (depth_ == 1 && in_value_) {
        EndValue();
      }
      return;
    case ':':
      if (depth_ == 1 && part_ == Part::kColon) {
        part_ = Part::kValue;
      }
      return;
    case ',':
      if (depth_ == 1) {
        in_value_ = false;
        part_ = Part::kKey;
      }
      return;
    default:
      if (kBlank.find(c) == std::string_view::npos) {
        BeginValue();
      }
  }
}

std::optional<JsonCall::Call> JsonCall::Read() const {
  Result<Json> object = ParseJson(text_, "call");
  if (!object.ok() && depth_ == 1 && !in_string_) {
    object = ParseJson(text_ + "}", "call");
  }
  std::optional<Call> call =
      object.ok() && object->is_object() ? ReadCall(*object) : std::optional<Call>();
  // As it was streamed.
  if (call.has_value() && arguments_end_ != 0 && name_.has_value()) {
    call->arguments = arguments();
  }
  // The end may be missing, but not of an object that has said nothing of its arguments.
  const bool whole = ended() || arguments_end_ != 0;
  return whole ? call : std::nullopt;
}

JsonCall::Call JsonCall::Known() const {
  const bool whole = arguments_end_ != 0 && ParseJson(arguments(), "arguments").ok();
  return {.name = name_.value_or(""),
          .arguments = whole ? std::string(arguments()) : "{}",
          .has_arguments = whole};
}

}  // namespace tandem
