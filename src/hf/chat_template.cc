#include <algorithm>
#include <system_error>

#include "base/format.h"
#include "hf/fields.h"
#include "hf/tokenizer.h"
#include "io/file.h"

namespace tandem::hf {
namespace {

constexpr std::string_view kDefault = "default";

/// The value of a "chat_template" field: one text, or a list of named ones.
Result<std::vector<ChatTemplate>> FromField(const Json& object, std::string_view where) {
  std::vector<ChatTemplate> templates;
  const Json* value = FindField(object, "chat_template");
  if (value == nullptr) {
    return templates;
  }
  if (value->is_string()) {
    templates.push_back({.name = std::string(kDefault), .text = value->get<std::string>()});
    return templates;
  }
  if (!value->is_array()) {
    return WrongField(where, "chat_template", *value, "a string or a list of named templates");
  }
  for (const Json& item : *value) {
    TANDEM_ASSIGN_OR_RETURN(const auto name, StringField(item, "name", where));
    TANDEM_ASSIGN_OR_RETURN(const auto text, StringField(item, "template", where));
    if (!name.has_value() || !text.has_value()) {
      return WrongField(where, "chat_template", item, "an object with 'name' and 'template'");
    }
    templates.push_back({.name = *name, .text = *text});
  }
  std::stable_partition(templates.begin(), templates.end(),
                        [](const ChatTemplate& entry) { return entry.name == kDefault; });
  return templates;
}

}  // namespace

Result<std::vector<ChatTemplate>> ReadChatTemplates(const std::filesystem::path& folder) {
  std::error_code error;
  const std::filesystem::path jinja = folder / "chat_template.jinja";
  if (std::filesystem::exists(jinja, error)) {
    TANDEM_ASSIGN_OR_RETURN(std::string text, ReadFile(jinja));
    return std::vector<ChatTemplate>{{.name = std::string(kDefault), .text = std::move(text)}};
  }
  for (const std::string_view name : {"chat_template.json", "tokenizer_config.json"}) {
    TANDEM_ASSIGN_OR_RETURN(const std::optional<Json> json, ReadOptionalJson(folder, name));
    if (json.has_value()) {
      TANDEM_ASSIGN_OR_RETURN(auto templates,
                              FromField(*json, Printable((folder / name).native(), 400)));
      if (!templates.empty()) {
        return templates;
      }
    }
  }
  return std::vector<ChatTemplate>();
}

}  // namespace tandem::hf
