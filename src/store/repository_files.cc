#include "store/repository_files.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "base/format.h"
#include "store/ascii.h"
#include "store/model_name.h"

namespace tandem {
namespace {

bool Has(const RepositoryFile& file, std::string_view word) {
  const std::size_t slash = file.path.rfind('/');
  return LowerAscii(file.path.substr(slash == file.path.npos ? 0 : slash + 1)).find(word) !=
         std::string::npos;
}

// Draft heads of their own have MTP in their names; where the repository has it, every file does.
bool IsModelFile(const RepositoryFile& file, const std::string& repository) {
  const bool draft = Has(file, "mtp") && LowerAscii(repository).find("mtp") == std::string::npos;
  return !Has(file, "mmproj") && !Has(file, "imatrix") && !draft;
}

const RepositoryFile* FindProjector(const std::vector<RepositoryFile>& files) {
  for (const std::string_view quant : {"F16", "BF16", "F32", ""}) {
    for (const RepositoryFile& file : files) {
      if (Has(file, "mmproj") && (quant.empty() || QuantOfFile(file.path) == quant)) {
        return &file;
      }
    }
  }
  return nullptr;
}

using Parts = std::vector<RepositoryFile>;

// The files of each quant, the parts of a split one together.
std::map<std::string, Parts> ByQuant(const std::vector<RepositoryFile>& files,
                                     const std::string& repository) {
  std::map<std::string, Parts> quants;
  for (const RepositoryFile& file : files) {
    if (!IsModelFile(file, repository)) {
      continue;
    }
    Parts& parts = quants[QuantOfFile(file.path)];
    if (parts.empty() || LowerAscii(file.path).find("-of-") != std::string::npos) {
      parts.push_back(file);
    }
  }
  return quants;
}

Result<std::string> ChooseQuant(const std::map<std::string, Parts>& quants, const FileWish& wish) {
  if (quants.empty()) {
    return Status(StatusCode::kNotFound, Format("{} holds no GGUF model", wish.name));
  }
  const std::string& best = wish.quant.empty() ? std::string("Q4_K_M") : wish.quant;
  std::string list;
  for (const auto& [quant, parts] : quants) {
    if (SameIgnoringCase(quant, best)) {
      return quant;
    }
    list += (list.empty() ? "" : ", ") + (quant.empty() ? parts.front().path : quant);
  }
  if (wish.quant.empty()) {
    return quants.begin()->first;
  }
  return Status(StatusCode::kNotFound, Format("{} has no {}; it has {}", wish.name,
                                              Printable(wish.quant), Printable(list, 400)));
}

}  // namespace

Result<std::vector<RepositoryFile>> ChooseFiles(std::vector<RepositoryFile> files,
                                                const FileWish& wish, std::string& quant) {
  std::sort(files.begin(), files.end(),
            [](const RepositoryFile& a, const RepositoryFile& b) { return a.path < b.path; });
  const std::map<std::string, Parts> quants = ByQuant(files, wish.name);
  TANDEM_ASSIGN_OR_RETURN(quant, ChooseQuant(quants, wish));
  std::vector<RepositoryFile> chosen = quants.at(quant);
  const RepositoryFile* projector = wish.vision ? FindProjector(files) : nullptr;
  if (projector != nullptr) {
    chosen.push_back(*projector);
    chosen.back().role = FileRole::kProjector;
  }
  return chosen;
}

}  // namespace tandem
