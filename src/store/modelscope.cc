// ModelScope and its mirrors: what a repository holds.
#include "base/format.h"
#include "io/json.h"
#include "store/ascii.h"
#include "store/remote.h"
#include "store/repository_files.h"
#include "store/url.h"

namespace tandem {
namespace {

constexpr std::string_view kRevision = "master";

std::string TextOr(const Json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_string()
             ? object[key].get<std::string>()
             : "";
}

Status Unclear(const std::string& name, const std::string& what) {
  return {StatusCode::kCorrupt, Format("{}: the server's answer {}", name, what)};
}

bool IsSha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Result<std::vector<RepositoryFile>> ReadFiles(const std::string& name, const Json& list) {
  std::vector<RepositoryFile> files;
  for (const Json& entry : list) {
    RepositoryFile file;
    file.path = TextOr(entry, "Path");
    if (!LowerAscii(file.path).ends_with(".gguf")) {
      continue;
    }
    if (!IsSafeRelativePath(file.path)) {
      return Unclear(name, Format("names the file '{}'", Printable(file.path)));
    }
    file.hash.sha256 = LowerAscii(TextOr(entry, "Sha256"));
    if (!entry.contains("Size") || !entry["Size"].is_number_unsigned() ||
        !IsSha256(file.hash.sha256)) {
      return Unclear(name, Format("has no size or hash for '{}'", Printable(file.path)));
    }
    file.size = entry["Size"].get<std::uint64_t>();
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace

Result<RemoteModel> LookUpModelScope(const std::string& repository, const std::string& quant,
                                     const RemoteSettings& settings) {
  const std::string name = Format("ms:{}", repository);
  const std::string url = Format("{}/api/v1/models/{}/repo/files?Revision={}&Recursive=true",
                                 settings.modelscope, EncodePath(repository), kRevision);
  TANDEM_ASSIGN_OR_RETURN(const HttpReply reply, HttpGet(url, {}, "", settings.http));
  if (reply.status == 401 || reply.status == 403 || reply.status == 404) {
    return Status(StatusCode::kNotFound,
                  Format("{} does not exist, or it is not public (status {})", name, reply.status));
  }
  if (reply.status != 200) {
    return Status(StatusCode::kIo,
                  Format("{}: {} answers with status {}", name, settings.modelscope, reply.status));
  }
  TANDEM_ASSIGN_OR_RETURN(const Json answer, ParseJson(reply.body, name));
  const Json& data = answer.is_object() && answer.contains("Data") ? answer["Data"] : Json();
  if (!data.is_object() || !data.contains("Files") || !data["Files"].is_array()) {
    return Unclear(name, "has no list of files");
  }
  TANDEM_ASSIGN_OR_RETURN(const std::vector<RepositoryFile> files, ReadFiles(name, data["Files"]));
  RemoteModel model;
  TANDEM_ASSIGN_OR_RETURN(
      const std::vector<RepositoryFile> chosen,
      ChooseFiles(files, {.name = name, .quant = quant, .vision = settings.vision}, model.quant));
  model.name = Format("{}:{}", name, model.quant);
  model.origin = Format("modelscope.cn/{}", repository);
  model.revision = kRevision;
  for (const RepositoryFile& file : chosen) {
    model.files.push_back({.role = file.role,
                           .path = file.path,
                           .url = Format("{}/models/{}/resolve/{}/{}", settings.modelscope,
                                         EncodePath(repository), kRevision, EncodePath(file.path)),
                           .headers = {},
                           .size = file.size,
                           .hash = file.hash});
  }
  return model;
}

}  // namespace tandem
