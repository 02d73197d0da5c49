#include "store/folders.h"

#include <cstdlib>
#include <string>
#include <system_error>

#include "io/file.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

// The folder that a variable names, or an empty path.
fs::path FromVariable(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? fs::path() : fs::path(value);
}

void AddIfFolder(const fs::path& folder, std::vector<fs::path>& folders) {
  std::error_code error;
  if (!folder.empty() && fs::is_directory(folder, error)) {
    folders.push_back(folder);
  }
}

}  // namespace

fs::path HomeFolder() {
  const fs::path home = FromVariable("HOME");
  return home.empty() ? fs::path(".") : home;
}

fs::path ModelsFolder() {
  if (const fs::path own = FromVariable("TANDEM_MODELS"); !own.empty()) {
    return own;
  }
  const fs::path data = FromVariable("XDG_DATA_HOME");
  return (data.empty() ? HomeFolder() / ".local/share" : data) / "tandem/models";
}

fs::path HubHome() {
  if (const fs::path home = FromVariable("HF_HOME"); !home.empty()) {
    return home;
  }
  const fs::path cache = FromVariable("XDG_CACHE_HOME");
  return (cache.empty() ? HomeFolder() / ".cache" : cache) / "huggingface";
}

fs::path HubCacheFolder() {
  for (const char* variable : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const fs::path folder = FromVariable(variable); !folder.empty()) {
      return folder;
    }
  }
  return HubHome() / "hub";
}

std::vector<fs::path> OllamaFolders() {
  std::vector<fs::path> folders;
  const fs::path set = FromVariable("OLLAMA_MODELS");
  if (!set.empty()) {
    AddIfFolder(set, folders);
    return folders;
  }
  AddIfFolder(HomeFolder() / ".ollama/models", folders);
  AddIfFolder("/usr/share/ollama/.ollama/models", folders);
  return folders;
}

std::vector<fs::path> LmStudioFolders() {
  std::vector<fs::path> folders;
  const Result<std::string> pointer = ReadFile(HomeFolder() / ".lmstudio-home-pointer", 4096);
  if (pointer.ok()) {
    const std::string line = pointer->substr(0, pointer->find_first_of("\r\n"));
    AddIfFolder(line.empty() ? fs::path() : fs::path(line) / "models", folders);
  }
  AddIfFolder(HomeFolder() / ".lmstudio/models", folders);
  AddIfFolder(HomeFolder() / ".cache/lm-studio/models", folders);
  if (folders.size() > 1 && folders[0] == folders[1]) {
    folders.erase(folders.begin());
  }
  return folders;
}

}  // namespace tandem
