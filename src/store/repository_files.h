#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/digest.h"
#include "store/remote.h"

namespace tandem {

/// A GGUF file of a repository, as its server lists it.
struct RepositoryFile {
  std::string path;
  std::uint64_t size = 0;
  ExpectedHash hash;
  FileRole role = FileRole::kModel;  // set by ChooseFiles()
};

/// What is wanted of a repository.
struct FileWish {
  std::string name;   // of the repository, for messages and its meaning: "hf.co/owner/repo"
  std::string quant;  // empty: Q4_K_M, else the first there is
  bool vision = true;
};

/// The files of one model, the parts of a split one in order, and the best vision file (F16, BF16,
/// F32, others). Draft heads, importance matrices and vision files are no models. Sets `quant` to
/// the one that was chosen. NotFound, with what there is, when the repository has no such model.
Result<std::vector<RepositoryFile>> ChooseFiles(std::vector<RepositoryFile> files,
                                                const FileWish& wish, std::string& quant);

}  // namespace tandem
