#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/model_name.h"

namespace tandem {

/// Which program put a model on this machine.
enum class Origin { kTandem, kHubCache, kOllama, kLmStudio };

/// "tandem", "Hugging Face cache", "Ollama", "LM Studio".
std::string_view OriginName(Origin origin);

/// A model on this machine. `name` opens it again.
struct InstalledModel {
  std::string name;
  Origin origin = Origin::kTandem;
  std::string repository;           // "owner/repo", "ms:owner/repo"; empty when it is not known
  std::string quant;                // as the name of the file or the record says; may be empty
  std::filesystem::path model;      // the file, or the first part of a split one
  std::filesystem::path projector;  // the vision file beside it; empty without one
  std::filesystem::path record;     // Ollama: the manifest; else empty
  std::uint64_t bytes = 0;          // model and projector
  std::int64_t modified = 0;        // seconds since 1970
};

/// Everything that is there: Tandem's own store, then the others', each read as it lies and never
/// written to. What vanishes or makes no sense meanwhile is left out.
std::vector<InstalledModel> InstalledModels();

/// The parts of InstalledModels().
std::vector<InstalledModel> TandemModels();
std::vector<InstalledModel> HubCacheModels();
std::vector<InstalledModel> OllamaModels();
std::vector<InstalledModel> LmStudioModels();

/// Where the model that `name` means lies (interfaces: own store, Hugging Face cache, Ollama, LM
/// Studio); for kCatalogue, kHub, kOllama and kOther. NotFound, saying how to get it.
Result<InstalledModel> FindInstalled(const ModelName& name);

}  // namespace tandem
