#include "store/known_files.h"

#include <set>
#include <string_view>
#include <system_error>

#include "base/format.h"
#include "io/descriptor.h"
#include "store/installed.h"
#include "store/local_store.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

void AddStored(const StoredModel& model, std::vector<KnownFile>& files) {
  for (const StoredFile& file : model.files) {
    files.push_back({.model = model.name, .path = file.path, .size = file.size, .hash = file.hash});
  }
}

bool IsHex(std::string_view text, std::size_t length) {
  return text.size() == length && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// What the name of a blob says.
ExpectedHash HashFromName(const fs::path& path) {
  std::error_code error;
  const std::string name = fs::weakly_canonical(path, error).filename().string();
  ExpectedHash hash;
  if (name.starts_with("sha256-") && IsHex(std::string_view(name).substr(7), 64)) {
    hash.sha256 = name.substr(7);
  } else if (IsHex(name, 64)) {
    hash.sha256 = name;
  } else if (IsHex(name, 40)) {
    hash.git_sha1 = name;
  }
  return hash;
}

}  // namespace

std::vector<KnownFile> FilesOfStore() {
  std::vector<KnownFile> files;
  std::set<fs::path> seen;
  for (const StoredModel& model : LocalStore::Default().List()) {
    std::vector<KnownFile> of_this;
    AddStored(model, of_this);
    for (KnownFile& file : of_this) {
      if (seen.insert(file.path).second) {
        files.push_back(std::move(file));
      }
    }
  }
  return files;
}

Result<std::vector<KnownFile>> FilesOfModel(const ModelName& name) {
  std::vector<KnownFile> files;
  if (name.kind == ModelName::Kind::kBuiltin) {
    return files;
  }
  if (name.kind == ModelName::Kind::kPath) {
    files.push_back({.model = name.canonical,
                     .path = name.canonical,
                     .size = std::nullopt,
                     .hash = HashFromName(name.canonical)});
    return files;
  }
  const Result<StoredModel> stored = LocalStore::Default().Find(name.canonical);
  if (stored.ok()) {
    AddStored(*stored, files);
    return files;
  }
  TANDEM_ASSIGN_OR_RETURN(const InstalledModel model, FindInstalled(name));
  for (const fs::path& path : {model.model, model.projector}) {
    if (!path.empty()) {
      files.push_back(
          {.model = model.name, .path = path, .size = std::nullopt, .hash = HashFromName(path)});
    }
  }
  return files;
}

Status VerifyFile(const KnownFile& file, const HashProgress& progress,
                  const std::atomic<bool>* cancel) {
  std::error_code error;
  const std::uint64_t size = fs::file_size(file.path, error);
  if (error) {
    return SystemError("read", file.path, error.value());
  }
  if (file.size.has_value() && *file.size != size) {
    return {StatusCode::kCorrupt, Format("has {} bytes, but {} were promised", size, *file.size)};
  }
  if (file.hash.empty()) {
    return OkStatus();
  }
  TANDEM_ASSIGN_OR_RETURN(const std::string found,
                          HashFile(file.path, file.hash, progress, cancel));
  if (found != file.hash.hex()) {
    return {StatusCode::kCorrupt,
            Format("has the hash {}, but {} was promised", found, file.hash.hex())};
  }
  return OkStatus();
}

}  // namespace tandem
