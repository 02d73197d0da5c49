#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/tandem.h"

#include "base/status.h"

namespace tandem {

/// A conversation with its settings, as /save writes it: a JSON object with tandem_chat (1, the
/// version of this form), model, settings (a list of "NAME=VALUE", "think" or "nothink", what
/// differs from the defaults), stop (a list of texts), format and tools (as GenerateOptions has
/// them, when there are any), and messages.
struct SavedChat {
  std::string model;
  std::vector<std::string> settings;
  std::vector<std::string> stop;
  std::string format = "";
  std::string tools = "";  // as GenerateOptions has them
  std::vector<Message> messages;
};

/// The file appears whole or not at all. Errors of AtomicFileWriter.
Status WriteSavedChat(const std::filesystem::path& path, const SavedChat& chat);

/// NotFound or Io; Corrupt or InvalidArgument with the field, for what is no saved conversation.
Result<SavedChat> ReadSavedChat(const std::filesystem::path& path);

}  // namespace tandem
