#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/digest.h"
#include "store/model_name.h"

namespace tandem {

/// A file on this machine with what is known of its true contents.
struct KnownFile {
  std::string model;
  std::filesystem::path path;
  std::optional<std::uint64_t> size;
  ExpectedHash hash;  // empty: not known
};

/// Every file that Tandem has pulled, each once.
std::vector<KnownFile> FilesOfStore();

/// The files of one model. In Tandem's store the record knows size and hash; in the Hugging Face
/// cache and in Ollama's store the name of a blob is its hash; of other files nothing is known.
/// Errors of FindInstalled.
Result<std::vector<KnownFile>> FilesOfModel(const ModelName& name);

/// NotFound, Corrupt with both lengths or both hashes, Cancelled, or Ok.
Status VerifyFile(const KnownFile& file, const HashProgress& progress,
                  const std::atomic<bool>* cancel);

}  // namespace tandem
