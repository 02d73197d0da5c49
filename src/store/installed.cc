#include "store/installed.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "base/format.h"
#include "io/file.h"
#include "io/json.h"
#include "store/ascii.h"
#include "store/catalogue.h"
#include "store/folders.h"
#include "store/local_store.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

std::string TextOr(const Json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_string()
             ? object[key].get<std::string>()
             : "";
}

std::uint64_t FileBytes(const fs::path& path) {
  std::error_code error;
  const std::uint64_t size = fs::file_size(path, error);
  return error ? 0 : size;
}

std::int64_t Modified(const fs::path& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? info.st_mtime : 0;
}

std::vector<fs::path> Entries(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (auto entry = fs::directory_iterator(folder, error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    paths.push_back(entry->path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// The GGUF files below `folder`, at most a few levels deep.
void CollectGguf(const fs::path& folder, int depth, std::vector<fs::path>& files) {
  std::error_code error;
  for (const fs::path& path : Entries(folder)) {
    if (fs::is_directory(path, error)) {
      if (depth > 0) {
        CollectGguf(path, depth - 1, files);
      }
    } else if (LowerAscii(path.extension().string()) == ".gguf" && fs::exists(path, error)) {
      files.push_back(path);
    }
  }
}

bool NameHas(const fs::path& path, std::string_view word) {
  return LowerAscii(path.filename().string()).find(word) != std::string::npos;
}

// -00002-of-... and later: parts that the first one brings along.
bool IsLaterPart(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.find("-of-") != std::string::npos && name.find("-00001-of-") == std::string::npos;
}

// One folder of a repository's files as models: each model file with the projector beside it.
void AddFolder(const fs::path& folder, const std::string& repository, Origin origin,
               std::vector<InstalledModel>& models) {
  std::vector<fs::path> files;
  CollectGguf(folder, 3, files);
  fs::path projector;
  for (const std::string_view quant : {"", "F32", "BF16", "F16"}) {  // the best comes last
    for (const fs::path& file : files) {
      if (NameHas(file, "mmproj") &&
          (quant.empty() || QuantOfFile(file.filename().string()) == quant)) {
        projector = file;
      }
    }
  }
  for (const fs::path& file : files) {
    if (NameHas(file, "mmproj") || NameHas(file, "imatrix") || IsLaterPart(file)) {
      continue;
    }
    InstalledModel& model = models.emplace_back();
    model.origin = origin;
    model.repository = repository;
    model.quant = QuantOfFile(file.filename().string());
    model.name = Format("hf.co/{}{}{}", repository, model.quant.empty() ? "" : ":", model.quant);
    model.model = file;
    model.projector = projector;
    model.modified = Modified(file);
    const bool split = file.filename().string().find("-00001-of-") != std::string::npos;
    for (const fs::path& part : files) {
      const std::string stem = file.filename().string();
      const std::string prefix = stem.substr(0, stem.find("-00001-of-"));
      if (part == file || (split && part.filename().string().starts_with(prefix + "-0"))) {
        model.bytes += FileBytes(part);
      }
    }
    model.bytes += projector.empty() ? 0 : FileBytes(projector);
  }
}

// One manifest of an Ollama store.
void AddOllamaManifest(const fs::path& store, const fs::path& manifest, const std::string& name,
                       std::vector<InstalledModel>& models) {
  const Result<Json> json = ReadJsonFile(manifest, std::uint64_t{1} << 20);
  if (!json.ok() || !json->is_object() || !json->contains("layers")) {
    return;
  }
  InstalledModel model;
  model.name = name;
  model.origin = Origin::kOllama;
  model.record = manifest;
  model.modified = Modified(manifest);
  for (const Json& layer : (*json)["layers"]) {
    const std::string type = TextOr(layer, "mediaType");
    const std::string digest = TextOr(layer, "digest");
    if (!digest.starts_with("sha256:") || !IsSafeRelativePath(digest.substr(7))) {
      continue;
    }
    const fs::path blob = store / "blobs" / Format("sha256-{}", digest.substr(7));
    if (type == "application/vnd.ollama.image.model") {
      model.model = blob;
    } else if (type == "application/vnd.ollama.image.projector") {
      model.projector = blob;
    } else {
      continue;
    }
    model.bytes += FileBytes(blob);
  }
  std::error_code error;
  if (!model.model.empty() && fs::exists(model.model, error)) {
    if ((*json).contains("config")) {
      const std::string config = TextOr((*json)["config"], "digest");
      const Result<Json> about =
          IsSafeRelativePath(config)
              ? ReadJsonFile(
                    store / "blobs" /
                        Format("sha256-{}", config.substr(std::min<std::size_t>(7, config.size()))),
                    std::uint64_t{1} << 20)
              : Result<Json>(Json());
      model.quant = about.ok() ? TextOr(*about, "file_type") : "";
    }
    models.push_back(std::move(model));
  }
}

// Whether a file of another program is this model of the catalogue: by repository, else by name.
bool IsCatalogueModel(const InstalledModel& model, const CatalogueModel& known) {
  for (const std::string& repository : known.repositories) {
    if (SameIgnoringCase(repository, model.repository)) {
      return true;
    }
  }
  const std::string file = LowerAscii(model.model.filename().string());
  const std::string title = LowerAscii(known.title);
  const std::size_t at = file.find(title);
  return at != std::string::npos && at + title.size() < file.size() &&
         (file[at + title.size()] == '-' || file[at + title.size()] == '.');
}

bool Matches(const InstalledModel& model, const ModelName& name, const CatalogueModel* known) {
  if (SameIgnoringCase(model.name, name.canonical)) {
    return true;
  }
  switch (name.kind) {
    case ModelName::Kind::kCatalogue:
      if (model.origin == Origin::kOllama) {
        return SameIgnoringCase(model.name, Format("ollama:{}", known->ollama)) &&
               (model.quant.empty() || SameIgnoringCase(model.quant, name.tag));
      }
      return SameIgnoringCase(model.quant, name.tag) && IsCatalogueModel(model, *known);
    case ModelName::Kind::kHub:
    case ModelName::Kind::kModelScope: {
      const std::string& quant = name.tag.empty() ? std::string("Q4_K_M") : name.tag;
      const char* of = name.kind == ModelName::Kind::kHub ? "" : "ms:";
      return SameIgnoringCase(model.repository, of + name.repository) &&
             SameIgnoringCase(model.quant, quant);
    }
    case ModelName::Kind::kOther: {
      const std::string tag = name.tag.empty() ? "latest" : name.tag;
      return model.origin == Origin::kOllama &&
             SameIgnoringCase(model.name, Format("ollama:{}:{}", name.repository, tag));
    }
    default:
      return false;
  }
}

}  // namespace

std::string_view OriginName(Origin origin) {
  switch (origin) {
    case Origin::kTandem:
      return "tandem";
    case Origin::kHubCache:
      return "Hugging Face cache";
    case Origin::kOllama:
      return "Ollama";
    case Origin::kLmStudio:
      return "LM Studio";
  }
  return "";
}

std::vector<InstalledModel> TandemModels() {
  std::vector<InstalledModel> models;
  for (const StoredModel& stored : LocalStore::Default().List()) {
    InstalledModel& model = models.emplace_back();
    model.name = stored.name;
    model.quant = stored.quant;
    if (stored.origin.starts_with("hf.co/")) {
      model.repository = stored.origin.substr(6);
    } else if (stored.origin.starts_with("modelscope.cn/")) {
      model.repository = "ms:" + stored.origin.substr(14);
    }
    model.bytes = stored.TotalBytes();
    model.modified = stored.pulled;
    for (const StoredFile& file : stored.files) {
      if (file.role == FileRole::kProjector) {
        model.projector = file.path;
      } else if (model.model.empty()) {
        model.model = file.path;
      }
    }
  }
  return models;
}

std::vector<InstalledModel> HubCacheModels() {
  constexpr std::string_view kPrefix = "models--";
  std::vector<InstalledModel> models;
  for (const fs::path& folder : Entries(HubCacheFolder())) {
    const std::string name = folder.filename().string();
    const std::size_t middle = name.find("--", kPrefix.size());
    if (!name.starts_with(kPrefix) || middle == std::string::npos) {
      continue;
    }
    const std::string repository = Format(
        "{}/{}", name.substr(kPrefix.size(), middle - kPrefix.size()), name.substr(middle + 2));
    const Result<std::string> commit = ReadFile(folder / "refs/main", 256);
    if (commit.ok() && IsSafeRelativePath(*commit)) {
      AddFolder(folder / "snapshots" / *commit, repository, Origin::kHubCache, models);
    }
  }
  return models;
}

std::vector<InstalledModel> OllamaModels() {
  std::vector<InstalledModel> models;
  for (const fs::path& store : OllamaFolders()) {
    for (const fs::path& host : Entries(store / "manifests")) {
      for (const fs::path& space : Entries(host)) {
        for (const fs::path& model : Entries(space)) {
          for (const fs::path& tag : Entries(model)) {
            const bool standard = host.filename() == "registry.ollama.ai";
            const bool library = standard && space.filename() == "library";
            const std::string name =
                Format("ollama:{}{}{}:{}", standard ? "" : host.filename().string() + "/",
                       library ? "" : space.filename().string() + "/", model.filename().string(),
                       tag.filename().string());
            AddOllamaManifest(store, tag, name, models);
          }
        }
      }
    }
  }
  return models;
}

std::vector<InstalledModel> LmStudioModels() {
  std::vector<InstalledModel> models;
  std::error_code error;
  for (const fs::path& folder : LmStudioFolders()) {
    for (const fs::path& publisher : Entries(folder)) {
      for (const fs::path& model : Entries(publisher)) {
        if (fs::is_directory(model, error)) {
          AddFolder(model,
                    Format("{}/{}", publisher.filename().string(), model.filename().string()),
                    Origin::kLmStudio, models);
        }
      }
    }
  }
  return models;
}

std::vector<InstalledModel> InstalledModels() {
  std::vector<InstalledModel> all = TandemModels();
  for (const auto& list : {HubCacheModels(), OllamaModels(), LmStudioModels()}) {
    all.insert(all.end(), list.begin(), list.end());
  }
  return all;
}

Result<InstalledModel> FindInstalled(const ModelName& name) {
  const CatalogueModel* known = name.kind == ModelName::Kind::kCatalogue
                                    ? Catalogue::BuiltIn().Find(name.repository)
                                    : nullptr;
  std::error_code error;
  for (const auto list : {&TandemModels, &HubCacheModels, &OllamaModels, &LmStudioModels}) {
    for (InstalledModel& model : list()) {
      if (Matches(model, name, known) && fs::exists(model.model, error)) {
        return std::move(model);
      }
    }
  }
  if (name.kind == ModelName::Kind::kOther) {
    return UnknownModelName(name.canonical);
  }
  return Status(StatusCode::kNotFound,
                Format("'{0}' is not on this machine; 'tandem pull {0}' gets it", name.canonical));
}

}  // namespace tandem
