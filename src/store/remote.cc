#include "store/remote.h"

#include <cstdlib>
#include <optional>

#include "base/format.h"
#include "io/file.h"
#include "store/catalogue.h"
#include "store/folders.h"

namespace tandem {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string Trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

Status CheckEndpoint(const char* variable, std::string& endpoint) {
  const std::string value = Trimmed(Variable(variable));
  if (value.empty()) {
    return OkStatus();
  }
  if (!value.starts_with("https://") && !value.starts_with("http://")) {
    return {StatusCode::kInvalidArgument,
            Format("{} is '{}'; it takes an address that starts with https:// or http://", variable,
                   Printable(value))};
  }
  endpoint = value.substr(0, value.find_last_not_of('/') + 1);
  return OkStatus();
}

// A token becomes part of a header line: nothing that could end the line.
Status CheckToken(const char* source, const std::string& token) {
  for (const char c : token) {
    if (c <= ' ' || c > '~') {
      return {StatusCode::kInvalidArgument,
              Format("{} holds a character that no token has", source)};
    }
  }
  return OkStatus();
}

Status ReadToken(std::string& token) {
  for (const char* variable : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    token = Trimmed(Variable(variable));
    if (!token.empty()) {
      return CheckToken(variable, token);
    }
  }
  const std::string path = Variable("HF_TOKEN_PATH");
  const Result<std::string> file =
      ReadFile(path.empty() ? HubHome() / "token" : std::filesystem::path(path), 65536);
  if (file.ok()) {
    token = Trimmed(*file);
    return CheckToken("the token file", token);
  }
  return OkStatus();
}

}  // namespace

std::string_view FileRoleName(FileRole role) {
  return role == FileRole::kModel ? "model" : "projector";
}

std::uint64_t RemoteModel::TotalBytes() const {
  std::uint64_t total = 0;
  for (const RemoteFile& file : files) {
    total += file.size;
  }
  return total;
}

Result<RemoteSettings> RemoteSettings::FromEnvironment() {
  RemoteSettings settings;
  settings.http = HttpSettings::FromEnvironment();
  TANDEM_RETURN_IF_ERROR(CheckEndpoint("HF_ENDPOINT", settings.hub));
  TANDEM_RETURN_IF_ERROR(CheckEndpoint("TANDEM_OLLAMA_REGISTRY", settings.registry));
  TANDEM_RETURN_IF_ERROR(CheckEndpoint("TANDEM_MODELSCOPE", settings.modelscope));
  TANDEM_RETURN_IF_ERROR(ReadToken(settings.hub_token));
  const std::string offline = Variable("HF_HUB_OFFLINE");
  settings.offline = !offline.empty() && offline != "0";
  return settings;
}

bool IsSafeRelativePath(std::string_view path) {
  if (path.empty() || path.size() > 1024 || path.front() == '/') {
    return false;
  }
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == ".." || part.size() > 200) {
      return false;
    }
    begin = end + 1;
  }
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f' || c == '\\') {
      return false;
    }
  }
  return true;
}

Result<RemoteModel> LookUpModel(const ModelName& name, const RemoteSettings& settings) {
  if (settings.offline) {
    return Status(StatusCode::kIo, Format("'{}' is not on this machine, and HF_HUB_OFFLINE forbids "
                                          "asking for it",
                                          name.canonical));
  }
  const auto ask = [&]() -> std::optional<Result<RemoteModel>> {
    switch (name.kind) {
      case ModelName::Kind::kHub:
        return LookUpHub(name.repository, name.tag, settings);
      case ModelName::Kind::kOllama:
        return LookUpOllama(name.repository, name.tag, settings);
      case ModelName::Kind::kModelScope:
        return LookUpModelScope(name.repository, name.tag, settings);
      default:
        return std::nullopt;
    }
  };
  if (std::optional<Result<RemoteModel>> model = ask(); model.has_value()) {
    if (model->ok()) {
      (*model)->name = name.canonical;
    }
    return std::move(*model);
  }
  const CatalogueModel* known = name.kind == ModelName::Kind::kCatalogue
                                    ? Catalogue::BuiltIn().Find(name.repository)
                                    : nullptr;
  if (known == nullptr) {
    return UnknownModelName(name.canonical);
  }
  Status first;
  for (const std::string& repository : known->repositories) {
    Result<RemoteModel> model = LookUpHub(repository, name.tag, settings);
    if (model.ok()) {
      model->name = name.canonical;
      if (model->licence.empty()) {
        model->licence = known->licence;
      }
      return model;
    }
    if (first.ok()) {
      first = model.status();
    }
    if (model.status().code() != StatusCode::kNotFound) {
      break;
    }
  }
  return first;
}

}  // namespace tandem
