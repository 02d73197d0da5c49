#pragma once

#include <filesystem>
#include <vector>

namespace tandem {

/// The user's home folder: $HOME, else ".".
std::filesystem::path HomeFolder();

/// Where Tandem keeps models: $TANDEM_MODELS, else $XDG_DATA_HOME/tandem/models, else
/// ~/.local/share/tandem/models.
std::filesystem::path ModelsFolder();

/// The folders of other programs, whether or not they exist. Hugging Face: $HF_HOME, else
/// $XDG_CACHE_HOME/huggingface, else ~/.cache/huggingface; its cache of repositories.
std::filesystem::path HubHome();
std::filesystem::path HubCacheFolder();

/// $OLLAMA_MODELS, ~/.ollama/models, /usr/share/ollama/.ollama/models; those that exist.
std::vector<std::filesystem::path> OllamaFolders();

/// Below the folder that ~/.lmstudio-home-pointer names, ~/.lmstudio or ~/.cache/lm-studio; those
/// that exist.
std::vector<std::filesystem::path> LmStudioFolders();

}  // namespace tandem
