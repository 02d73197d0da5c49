#include "store/local_store.h"

#include <algorithm>
#include <set>
#include <system_error>

#include "base/format.h"
#include "io/file.h"
#include "io/json.h"
#include "store/ascii.h"
#include "store/folders.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

std::string TextOr(const Json& object, const char* key) {
  return object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : "";
}

Status BadRecord(const fs::path& path, std::string_view what) {
  return {StatusCode::kCorrupt, Format("{}: {}", Printable(path.string(), 200), what)};
}

}  // namespace

std::uint64_t StoredModel::TotalBytes() const {
  std::uint64_t total = 0;
  for (const StoredFile& file : files) {
    total += file.size;
  }
  return total;
}

LocalStore LocalStore::Default() {
  return LocalStore(ModelsFolder());
}

fs::path LocalStore::PathFor(const std::string& origin, const std::string& path) const {
  return folder_ / "files" / origin / path;
}

// A name's slashes must not make folders; letters are kept so that a person can read the names.
fs::path LocalStore::RecordPath(std::string_view name) const {
  std::string file;
  for (const char c : LowerAscii(name)) {
    file +=
        c == '/' || c == '%' ? Format("%{:02x}", static_cast<unsigned char>(c)) : std::string(1, c);
  }
  return folder_ / "models" / (file + ".json");
}

Result<StoredModel> LocalStore::ReadRecord(const fs::path& path) const {
  TANDEM_ASSIGN_OR_RETURN(const Json record, ReadJsonFile(path, std::uint64_t{1} << 20));
  StoredModel model;
  if (!record.is_object() || !record.contains("files") || !record["files"].is_array()) {
    return BadRecord(path, "'files' must be an array");
  }
  model.name = TextOr(record, "name");
  model.origin = TextOr(record, "origin");
  model.revision = TextOr(record, "revision");
  model.quant = TextOr(record, "quant");
  model.licence = TextOr(record, "licence");
  if (record.contains("pulled") && record["pulled"].is_number_integer()) {
    model.pulled = record["pulled"].get<std::int64_t>();
  }
  for (const Json& item : record["files"]) {
    const bool valid = item.is_object() && IsSafeRelativePath(TextOr(item, "path")) &&
                       item.contains("bytes") && item["bytes"].is_number_unsigned();
    if (!valid) {
      return BadRecord(path, "a file needs 'path' and 'bytes'");
    }
    StoredFile& file = model.files.emplace_back();
    file.role = TextOr(item, "role") == "projector" ? FileRole::kProjector : FileRole::kModel;
    file.path = folder_ / "files" / TextOr(item, "path");
    file.size = item["bytes"].get<std::uint64_t>();
    file.hash.sha256 = TextOr(item, "sha256");
    file.hash.git_sha1 = TextOr(item, "git_sha1");
  }
  if (model.name.empty() || model.files.empty()) {
    return BadRecord(path, "'name' and one file are needed");
  }
  return model;
}

std::vector<StoredModel> LocalStore::List(std::vector<std::string>* unreadable) const {
  std::vector<StoredModel> models;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_ / "models", error)) {
    if (entry.path().extension() != ".json") {
      continue;
    }
    Result<StoredModel> model = ReadRecord(entry.path());
    if (model.ok()) {
      models.push_back(std::move(model).value());
    } else if (unreadable != nullptr) {
      unreadable->push_back(model.status().message());
    }
  }
  std::sort(models.begin(), models.end(),
            [](const StoredModel& a, const StoredModel& b) { return a.name < b.name; });
  return models;
}

Result<StoredModel> LocalStore::Find(const std::string& name) const {
  return ReadRecord(RecordPath(name));
}

Status LocalStore::Save(const StoredModel& model) const {
  Json record = {{"name", model.name},    {"origin", model.origin},   {"revision", model.revision},
                 {"quant", model.quant},  {"licence", model.licence}, {"pulled", model.pulled},
                 {"files", Json::array()}};
  for (const StoredFile& file : model.files) {
    Json item = {{"role", FileRoleName(file.role)},
                 {"path", file.path.lexically_relative(folder_ / "files").generic_string()},
                 {"bytes", file.size}};
    if (!file.hash.sha256.empty()) {
      item["sha256"] = file.hash.sha256;
    } else if (!file.hash.git_sha1.empty()) {
      item["git_sha1"] = file.hash.git_sha1;
    }
    record["files"].push_back(std::move(item));
  }
  const fs::path path = RecordPath(model.name);
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  return WriteFileAtomically(path,
                             record.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

Result<std::uint64_t> LocalStore::Remove(const std::string& name) const {
  TANDEM_ASSIGN_OR_RETURN(const StoredModel model, Find(name));
  std::error_code error;
  if (!fs::remove(RecordPath(name), error) && error) {
    return SystemError("remove", RecordPath(name), error.value());
  }
  std::set<fs::path> needed;
  for (const StoredModel& other : List()) {
    for (const StoredFile& file : other.files) {
      needed.insert(file.path);
    }
  }
  std::uint64_t freed = 0;
  for (const StoredFile& file : model.files) {
    if (needed.contains(file.path)) {
      continue;
    }
    const std::uint64_t size = fs::file_size(file.path, error);
    if (fs::remove(file.path, error)) {
      freed += size;
    }
    // Folders that this emptied, up to the store's own.
    for (fs::path folder = file.path.parent_path();
         folder != folder_ / "files" && fs::is_empty(folder, error) && !error;
         folder = folder.parent_path()) {
      fs::remove(folder, error);
    }
  }
  return freed;
}

}  // namespace tandem
