#include "chat/eyes.h"

#include <algorithm>
#include <array>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "base/format.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

// The architecture whose towers we know.
constexpr std::string_view kSeeing = "qwen35";

/// The model that is to see.
struct Blind {
  const gguf::File& file;
  const ModelInfo& info;
};

Status CheckWidth(const VisionEncoder& eyes, const Blind& model, std::string_view name) {
  const std::size_t width = model.info.width;
  return eyes.config().out_width == width
             ? OkStatus()
             : Status(StatusCode::kInvalidArgument,
                      Format("{}: this vision file makes rows of {} values; {} reads rows of {}",
                             name, eyes.config().out_width, model.file.name(), width));
}

// What makes two openings of a file the same.
std::string PoolKey(const fs::path& path, const EncoderOptions& options) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(path, error);
  std::string key = Format("{} {} {} {}", (error ? path : whole).native(), options.image_tokens,
                           options.threads, options.isa);
  for (const std::optional<PixelRange>& range : {options.image_pixels, options.video_pixels}) {
    key += range.has_value() ? Format(" {}:{}", range->min, range->max) : " -";
  }
  return key + (options.fetch ? " fetches" : "");
}

Result<std::shared_ptr<VisionEncoder>> OpenNew(const fs::path& path,
                                               const EncoderOptions& options) {
  TANDEM_ASSIGN_OR_RETURN(std::unique_ptr<gguf::ModelFile> file, gguf::ModelFile::Open(path));
  if (!HasVisionTower(*file)) {
    return Status(StatusCode::kInvalidArgument,
                  Format("{}: there is no vision tower in this file", path.native()));
  }
  const gguf::File& view = *file;
  return VisionEncoder::Create(view, std::move(file), path.parent_path(), options);
}

Result<std::shared_ptr<VisionEncoder>> OpenFile(const fs::path& path, const Blind& model,
                                                const EyesOptions& options) {
  const std::string key = PoolKey(path, options.encoder);
  std::shared_ptr<VisionEncoder> eyes;
  if (options.pool != nullptr && options.pool->contains(key)) {
    eyes = options.pool->at(key);
  } else {
    TANDEM_ASSIGN_OR_RETURN(eyes, OpenNew(path, options.encoder));
  }
  TANDEM_RETURN_IF_ERROR(CheckWidth(*eyes, model, path.native()));
  if (options.pool != nullptr) {
    options.pool->emplace(key, eyes);
  }
  return eyes;
}

std::string Lower(std::string text) {
  for (char& c : text) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return text;
}

/// A vision file beside the model, best first.
struct Candidate {
  fs::path path;
  std::size_t likeness = 0;  // letters that its name shares with the model's
  std::size_t type = 0;      // place in the list of preferred types

  bool operator<(const Candidate& other) const {
    return std::tie(other.likeness, type, path) < std::tie(likeness, other.type, other.path);
  }
};

// Letters at the front that a vision file's name, without "mmproj", has in common with the model's.
std::size_t Likeness(std::string name, const std::string& model) {
  const std::size_t at = name.find("mmproj");
  name.erase(at, std::string_view("mmproj").size());
  const std::size_t begin = std::min(name.find_first_not_of("-_."), name.size());
  std::size_t same = 0;
  while (begin + same < name.size() && same < model.size() && name[begin + same] == model[same]) {
    ++same;
  }
  return same;
}

// Best first.
std::vector<fs::path> FindCandidates(const EyesOptions& options) {
  const fs::path& model = options.model;
  std::vector<fs::path> paths;
  if (!options.projector.empty()) {
    paths.push_back(options.projector);
  }
  if (model.empty()) {
    return paths;
  }
  constexpr std::array<std::string_view, 4> kTypes = {"f16", "bf16", "q8_0", "f32"};
  const fs::path folder = model.parent_path().empty() ? fs::path(".") : model.parent_path();
  std::vector<Candidate> candidates;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = Lower(it->path().filename().native());
    if (name.find("mmproj") == std::string::npos || !name.ends_with(".gguf")) {
      continue;
    }
    Candidate candidate{.path = it->path(),
                        .likeness = Likeness(name, Lower(model.filename().native())),
                        .type = kTypes.size()};
    for (std::size_t i = kTypes.size(); i-- > 0;) {
      const std::size_t found = name.find(kTypes[i]);
      // "bf16" holds "f16".
      if (found != std::string::npos && (found == 0 || name[found - 1] != 'b')) {
        candidate.type = i;
      }
    }
    candidates.push_back(std::move(candidate));
  }
  std::sort(candidates.begin(), candidates.end());
  for (Candidate& candidate : candidates) {
    paths.push_back(std::move(candidate.path));
  }
  return paths;
}

// What lets a model see, or why nothing does.
struct FoundEyes {
  std::shared_ptr<VisionEncoder> eyes;  // null: the model stays blind
  Status why_none;                      // of a file that was found and cannot be used
};

Result<FoundEyes> FindEyes(const EyesOptions& options, const gguf::File& file,
                           const ModelInfo& info) {
  const Blind model = {file, info};
  FoundEyes found;
  if (info.architecture != kSeeing) {
    return found;
  }
  if (!options.mmproj.empty()) {
    TANDEM_ASSIGN_OR_RETURN(found.eyes, OpenFile(options.mmproj, model, options));
    return found;
  }
  if (HasVisionTower(file)) {
    TANDEM_ASSIGN_OR_RETURN(
        found.eyes,
        VisionEncoder::Create(file, nullptr, options.model.parent_path(), options.encoder));
    TANDEM_RETURN_IF_ERROR(CheckWidth(*found.eyes, model, file.name()));
    return found;
  }
  for (const fs::path& candidate : FindCandidates(options)) {
    Result<std::shared_ptr<VisionEncoder>> eyes = OpenFile(candidate, model, options);
    if (eyes.ok()) {
      found.eyes = std::move(eyes).value();
      return found;
    }
    found.why_none = found.why_none.ok() ? eyes.status() : found.why_none;
  }
  return found;
}

}  // namespace

Status OpenEyes(const EyesOptions& options, LoadedModel& model) {
  TANDEM_ASSIGN_OR_RETURN(FoundEyes found, FindEyes(options, model.file(), model.network().info()));
  if (found.eyes != nullptr) {
    model.set_eyes(std::move(found.eyes));
  } else {
    model.set_blind_reason(std::move(found.why_none));
  }
  return OkStatus();
}

}  // namespace tandem
