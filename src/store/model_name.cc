#include "store/model_name.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include "base/format.h"
#include "base/suggestion.h"
#include "store/ascii.h"
#include "store/builtin.h"
#include "store/catalogue.h"

namespace tandem {
namespace {

constexpr std::size_t kLongestName = 350;

bool IsNameCharacter(char c) {
  return (c >= '0' && c <= '9') || (LowerAscii(c) >= 'a' && LowerAscii(c) <= 'z') || c == '.' ||
         c == '_' || c == '-';
}

// One part of a name between slashes and colons.
bool IsNamePart(std::string_view part) {
  if (part.empty() || part == "." || part == "..") {
    return false;
  }
  for (const char c : part) {
    if (!IsNameCharacter(c)) {
      return false;
    }
  }
  return true;
}

Status Malformed(std::string_view name, std::string_view expected) {
  return {StatusCode::kInvalidArgument,
          Format("'{}' is no model name; expected {}", Printable(name), expected)};
}

bool IsExistingFile(const std::string& name) {
  std::error_code error;
  return std::filesystem::exists(name, error);
}

bool LooksLikePath(std::string_view name) {
  return name.ends_with(".gguf") || name.starts_with('/') || name.starts_with("./") ||
         name.starts_with("../") || name.starts_with('~');
}

// The text before and after the last colon; no tag without one.
struct Tagged {
  std::string_view name;
  std::string_view tag;
  bool has_tag = false;
};

Tagged SplitTag(std::string_view name) {
  const std::size_t colon = name.rfind(':');
  if (colon == std::string_view::npos || name.find('/', colon) != std::string_view::npos) {
    return {.name = name, .tag = ""};
  }
  return {.name = name.substr(0, colon), .tag = name.substr(colon + 1), .has_tag = true};
}

bool StartsWithDigit(std::string_view text) {
  return !text.empty() && text[0] >= '0' && text[0] <= '9';
}

// "Q4_K_M", "IQ4_XS", "BF16", "MXFP4", in any letter case.
bool LooksLikeQuant(std::string_view text) {
  const std::string lower = LowerAscii(text);
  for (const std::string_view prefix : {"iq", "tq", "q"}) {
    if (lower.starts_with(prefix) &&
        StartsWithDigit(std::string_view(lower).substr(prefix.size()))) {
      return true;
    }
  }
  return lower == "f16" || lower == "f32" || lower == "bf16" || lower.starts_with("mxfp4");
}

ModelName CatalogueName(const CatalogueModel& model, std::string_view quant) {
  ModelName name{.kind = ModelName::Kind::kCatalogue,
                 .canonical = model.name,
                 .repository = model.name,
                 .tag = quant.empty() ? model.quant : std::string(quant)};
  if (!SameIgnoringCase(name.tag, model.quant)) {
    const char* joint = model.name.find(':') == std::string::npos ? ":" : "-";
    name.canonical += Format("{}{}", joint, LowerAscii(quant));
  }
  return name;
}

// A short name with or without a quant: qwen3.5:4b, qwen3.5:4b-q8_0, phi4-mini:q8_0,
// qwen3.5:latest.
std::optional<ModelName> ParseCatalogueName(std::string_view name) {
  const Catalogue& catalogue = Catalogue::BuiltIn();
  if (const CatalogueModel* model = catalogue.Find(name)) {
    return CatalogueName(*model, "");
  }
  const std::size_t colon = name.find(':');
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view tag = name.substr(colon + 1);
  if (const CatalogueModel* model = catalogue.Find(name.substr(0, colon))) {
    if (SameIgnoringCase(tag, "latest")) {
      return CatalogueName(*model, "");
    }
    if (LooksLikeQuant(tag) || LowerAscii(tag).starts_with("ud-")) {
      return CatalogueName(*model, tag);
    }
  }
  for (std::size_t dash = name.find('-', colon); dash != std::string_view::npos;
       dash = name.find('-', dash + 1)) {
    const std::string_view quant = name.substr(dash + 1);
    const CatalogueModel* model = catalogue.Find(name.substr(0, dash));
    if (model != nullptr && (LooksLikeQuant(quant) || LowerAscii(quant).starts_with("ud-"))) {
      return CatalogueName(*model, quant);
    }
  }
  return std::nullopt;
}

// OWNER/REPO[:QUANT] of the Hub ("hf.co/") or of ModelScope ("ms:").
Result<ModelName> ParseRepositoryName(std::string_view whole, std::string_view name,
                                      ModelName::Kind kind) {
  const std::string_view start = kind == ModelName::Kind::kHub ? "hf.co/" : "ms:";
  const Tagged tagged = SplitTag(name);
  const std::size_t slash = tagged.name.find('/');
  const bool parts = slash != std::string_view::npos && IsNamePart(tagged.name.substr(0, slash)) &&
                     IsNamePart(tagged.name.substr(slash + 1));
  if (!parts || (tagged.has_tag && !IsNamePart(tagged.tag))) {
    return Malformed(whole, Format("{0}OWNER/REPOSITORY or {0}OWNER/REPOSITORY:QUANT", start));
  }
  ModelName out{.kind = kind,
                .canonical = Format("{}{}", start, tagged.name),
                .repository = std::string(tagged.name),
                .tag = std::string(tagged.tag)};
  if (tagged.has_tag) {
    out.canonical += Format(":{}", tagged.tag);
  }
  return out;
}

Result<ModelName> ParseOllamaName(std::string_view whole, std::string_view name) {
  const Tagged tagged = SplitTag(name);
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= tagged.name.size();) {
    const std::size_t end = std::min(tagged.name.find('/', at), tagged.name.size());
    parts.push_back(tagged.name.substr(at, end - at));
    at = end + 1;
  }
  bool good = parts.size() <= 3 && (!tagged.has_tag || IsNamePart(tagged.tag));
  for (const std::string_view part : parts) {
    good = good && IsNamePart(part);
  }
  if (!good) {
    return Malformed(whole, "ollama:NAME or ollama:NAME:TAG");
  }
  const std::string before = parts.size() == 1 ? "library/" : "";
  ModelName out{.kind = ModelName::Kind::kOllama,
                .canonical = "",
                .repository = Format("{}{}", before, tagged.name),
                .tag = tagged.has_tag ? std::string(tagged.tag) : "latest"};
  out.canonical = Format("ollama:{}:{}", tagged.name, out.tag);
  return out;
}

// OWNER/REPO-GGUF[:QUANT], as other programs write it.
bool LooksLikeRepository(std::string_view name) {
  const std::string_view repository = SplitTag(name).name;
  const std::size_t slash = repository.find('/');
  return slash != std::string_view::npos && repository.find('/', slash + 1) == repository.npos &&
         LowerAscii(repository.substr(slash)).find("gguf") != std::string::npos;
}

}  // namespace

Result<ModelName> ParseModelName(const std::string& name) {
  if (name.empty()) {
    return Status(StatusCode::kInvalidArgument, "the name of the model is empty");
  }
  if (IsBuiltinModelName(name)) {
    return ModelName{
        .kind = ModelName::Kind::kBuiltin, .canonical = name, .repository = "", .tag = ""};
  }
  if (IsExistingFile(name) || LooksLikePath(name)) {
    return ModelName{
        .kind = ModelName::Kind::kPath, .canonical = name, .repository = "", .tag = ""};
  }
  if (name.size() > kLongestName) {
    return Status(StatusCode::kInvalidArgument,
                  Format("the name of the model has {} characters, at most {} are allowed",
                         name.size(), kLongestName));
  }
  std::string_view rest = name;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  }
  for (const std::string_view host : {"hf.co/", "huggingface.co/"}) {
    if (LowerAscii(rest.substr(0, host.size())) == host) {
      return ParseRepositoryName(name, rest.substr(host.size()), ModelName::Kind::kHub);
    }
  }
  if (LowerAscii(rest.substr(0, 7)) == "ollama:") {
    return ParseOllamaName(name, rest.substr(7));
  }
  if (LowerAscii(rest.substr(0, 3)) == "ms:") {
    return ParseRepositoryName(name, rest.substr(3), ModelName::Kind::kModelScope);
  }
  if (std::optional<ModelName> known = ParseCatalogueName(name)) {
    return *known;
  }
  if (LooksLikeRepository(name)) {
    return ParseRepositoryName(name, name, ModelName::Kind::kHub);
  }
  if (name.find('/') != std::string::npos && !IsNamePart(SplitTag(name).name)) {
    return ModelName{
        .kind = ModelName::Kind::kPath, .canonical = name, .repository = "", .tag = ""};
  }
  const Tagged tagged = SplitTag(name);
  if (!IsNamePart(tagged.name) || (tagged.has_tag && !IsNamePart(tagged.tag))) {
    return Malformed(name, "letters, digits, '.', '_' and '-', with a tag after ':'");
  }
  return ModelName{.kind = ModelName::Kind::kOther,
                   .canonical = LowerAscii(name),
                   .repository = std::string(tagged.name),
                   .tag = std::string(tagged.tag)};
}

Status UnknownModelName(std::string_view name) {
  std::vector<std::string> names = {"qwen3.5:demo", "phi4-mini:demo"};
  for (std::string& known : Catalogue::BuiltIn().Names()) {
    names.push_back(std::move(known));
  }
  const std::string closest = ClosestName(LowerAscii(name), names);
  if (!closest.empty()) {
    return {StatusCode::kNotFound,
            Format("'{}' is neither a file nor a known model; did you mean '{}'?", Printable(name),
                   closest)};
  }
  std::string list;
  for (const std::string& known : names) {
    list += (list.empty() ? "" : ", ") + known;
  }
  return {
      StatusCode::kNotFound,
      Format("'{}' is neither a file nor a known model ({}); give the path of a .gguf file, one "
             "of these names or hf.co/OWNER/REPOSITORY",
             Printable(name), list)};
}

std::string QuantOfFile(std::string_view file_name) {
  const std::size_t slash = file_name.rfind('/');
  std::string stem(slash == std::string_view::npos ? file_name : file_name.substr(slash + 1));
  if (LowerAscii(stem).ends_with(".gguf")) {
    stem.resize(stem.size() - 5);
  }
  // -00001-of-00003
  constexpr std::size_t kShard = 15;
  if (stem.size() > kShard && stem[stem.size() - kShard] == '-' &&
      stem.compare(stem.size() - 9, 4, "-of-") == 0) {
    stem.resize(stem.size() - kShard);
  }
  for (std::size_t i = stem.size(); i > 0; --i) {
    const char before = stem[i - 1];
    if ((before == '-' || before == '.') && LooksLikeQuant(std::string_view(stem).substr(i))) {
      std::string quant = stem.substr(i);
      if (i >= 4 && LowerAscii(std::string_view(stem).substr(i - 4, 4)) == "-ud-") {
        quant = Format("UD-{}", quant);
      } else if (i == 3 && LowerAscii(std::string_view(stem).substr(0, 3)) == "ud-") {
        quant = Format("UD-{}", quant);
      }
      for (char& c : quant) {
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
      }
      return quant;
    }
  }
  return LooksLikeQuant(stem) ? QuantOfFile(Format("-{}", stem)) : "";
}

}  // namespace tandem
