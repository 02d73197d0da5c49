#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/digest.h"
#include "store/remote.h"

namespace tandem {

/// A file of a model that Tandem keeps.
struct StoredFile {
  FileRole role = FileRole::kModel;
  std::filesystem::path path;  // below the store's folder
  std::uint64_t size = 0;
  ExpectedHash hash;
};

/// A model that Tandem has pulled, as its record says.
struct StoredModel {
  std::string name;
  std::string origin;
  std::string revision;
  std::string quant;
  std::string licence;
  std::int64_t pulled = 0;  // seconds since 1970
  std::vector<StoredFile> files;

  std::uint64_t TotalBytes() const;
};

/// Tandem's own models: FOLDER/files/ORIGIN/..., and FOLDER/models/NAME.json, a record for each
/// name. Several names may share files. Thread-compatible; other processes may change the folder at
/// any time, and records appear whole.
class LocalStore {
 public:
  explicit LocalStore(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// The one in ModelsFolder().
  static LocalStore Default();

  const std::filesystem::path& folder() const { return folder_; }
  /// Where a file of `origin` is kept.
  std::filesystem::path PathFor(const std::string& origin, const std::string& path) const;

  /// All records by name. One that cannot be read is left out; `unreadable` gets why.
  std::vector<StoredModel> List(std::vector<std::string>* unreadable = nullptr) const;
  /// NotFound without such a record, Corrupt for one that makes no sense.
  Result<StoredModel> Find(const std::string& name) const;
  Status Save(const StoredModel& model) const;
  /// Removes the record and the files that no other record names. Returns the bytes that this
  /// freed.
  Result<std::uint64_t> Remove(const std::string& name) const;

 private:
  std::filesystem::path RecordPath(std::string_view name) const;
  Result<StoredModel> ReadRecord(const std::filesystem::path& path) const;

  std::filesystem::path folder_;
};

}  // namespace tandem
