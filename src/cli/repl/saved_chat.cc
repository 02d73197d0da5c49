#include "cli/repl/saved_chat.h"

#include "api/answer_json.h"
#include "base/format.h"
#include "cli/model_options.h"
#include "io/file.h"
#include "io/json.h"

namespace tandem {
namespace {

constexpr int kVersion = 1;

Result<std::vector<std::string>> ReadTexts(const Json& object, const char* field,
                                           const std::string& where) {
  std::vector<std::string> texts;
  const auto found = object.find(field);
  if (found == object.end()) {
    return texts;
  }
  bool good = found->is_array();
  for (const Json& item : good ? *found : Json::array()) {
    good = good && item.is_string();
    if (good) {
      texts.push_back(item.get<std::string>());
    }
  }
  if (!good) {
    return Status(StatusCode::kInvalidArgument,
                  Format("{}: \"{}\" must be a list of strings", where, field));
  }
  return texts;
}

}  // namespace

Status WriteSavedChat(const std::filesystem::path& path, const SavedChat& chat) {
  Json messages = Json::array();
  for (const Message& message : chat.messages) {
    messages.push_back(MessageJson(message));
  }
  Json object = {{"tandem_chat", kVersion},
                 {"model", chat.model},
                 {"settings", chat.settings},
                 {"stop", chat.stop}};
  if (!chat.format.empty()) {
    object["format"] = chat.format;
  }
  if (!chat.tools.empty()) {
    TANDEM_ASSIGN_OR_RETURN(object["tools"], ParseJson(chat.tools, "tools"));
  }
  object["messages"] = std::move(messages);
  TANDEM_ASSIGN_OR_RETURN(AtomicFileWriter writer, AtomicFileWriter::Create(path));
  TANDEM_RETURN_IF_ERROR(
      writer.Write(object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"));
  return writer.Commit();
}

Result<SavedChat> ReadSavedChat(const std::filesystem::path& path) {
  TANDEM_ASSIGN_OR_RETURN(const Json object, ReadJsonFile(path));
  const std::string where = path.string();
  const auto version = object.is_object() ? object.find("tandem_chat") : object.end();
  if (!object.is_object() || version == object.end() || !version->is_number_integer()) {
    return Status(StatusCode::kInvalidArgument,
                  Format("{}: no saved conversation, \"tandem_chat\" is missing", where));
  }
  if (version->get<int>() != kVersion) {
    return Status(StatusCode::kUnsupported,
                  Format("{}: a saved conversation of form {}; this program knows form {}", where,
                         version->dump(), kVersion));
  }
  SavedChat chat;
  if (!object.contains("model") || !object["model"].is_string()) {
    return Status(StatusCode::kInvalidArgument, Format("{}: \"model\" must be a string", where));
  }
  chat.model = object["model"].get<std::string>();
  TANDEM_ASSIGN_OR_RETURN(chat.settings, ReadTexts(object, "settings", where));
  TANDEM_ASSIGN_OR_RETURN(chat.stop, ReadTexts(object, "stop", where));
  if (const auto format = object.find("format"); format != object.end()) {
    if (!format->is_string()) {
      return Status(StatusCode::kInvalidArgument, Format("{}: \"format\" must be a string", where));
    }
    chat.format = format->get<std::string>();
  }
  if (object.contains("tools")) {
    TANDEM_ASSIGN_OR_RETURN(chat.tools, ToolsIn(object.dump(), where));
  }
  if (!object.contains("messages")) {
    return Status(StatusCode::kInvalidArgument, Format("{}: \"messages\" is missing", where));
  }
  Result<std::vector<Message>> messages = ParseMessages(object["messages"].dump());
  if (!messages.ok()) {
    return Status(messages.status().code(), Format("{}: {}", where, messages.status().message()));
  }
  chat.messages = std::move(messages).value();
  return chat;
}

}  // namespace tandem
