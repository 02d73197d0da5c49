// The Hub of Hugging Face and its mirrors: what a repository holds.
#include "base/format.h"
#include "io/json.h"
#include "store/ascii.h"
#include "store/remote.h"
#include "store/repository_files.h"
#include "store/url.h"

namespace tandem {
namespace {

bool IsHex(const std::string& text, std::size_t length) {
  return text.size() == length && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string TextOr(const Json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_string()
             ? object[key].get<std::string>()
             : "";
}

Status Unclear(const std::string& repository, const std::string& what) {
  return {StatusCode::kCorrupt, Format("hf.co/{}: the server's answer {}", repository, what)};
}

Status Refused(const std::string& repository, const HttpReply& reply,
               const RemoteSettings& settings) {
  const std::string code = reply.headers.Get("x-error-code");
  const bool has_token = !settings.hub_token.empty();
  if (code == "GatedRepo" || (reply.status == 403 && code.empty())) {
    return {StatusCode::kInvalidArgument,
            Format("hf.co/{} is gated: accept its terms at {}/{}{}", repository, settings.hub,
                   repository, has_token ? " with the account of HF_TOKEN" : " and set HF_TOKEN")};
  }
  if (reply.status == 401 || reply.status == 404 || code == "RepoNotFound") {
    return {StatusCode::kNotFound,
            Format("hf.co/{} does not exist{}", repository,
                   has_token ? " or is closed to the account of HF_TOKEN"
                             : ", or it is private and HF_TOKEN is not set")};
  }
  return {StatusCode::kIo,
          Format("hf.co/{}: {} answers with status {}", repository, settings.hub, reply.status)};
}

Result<std::vector<RepositoryFile>> ReadFiles(const std::string& repository, const Json& siblings) {
  std::vector<RepositoryFile> files;
  for (const Json& sibling : siblings) {
    RepositoryFile file;
    file.path = TextOr(sibling, "rfilename");
    if (!LowerAscii(file.path).ends_with(".gguf")) {
      continue;
    }
    if (!IsSafeRelativePath(file.path)) {
      return Unclear(repository, Format("names the file '{}'", Printable(file.path)));
    }
    const Json& lfs = sibling.contains("lfs") ? sibling["lfs"] : Json();
    const Json& source = lfs.is_object() && lfs.contains("size") ? lfs : sibling;
    if (!source.contains("size") || !source["size"].is_number_unsigned()) {
      return Unclear(repository, Format("has no size for '{}'", Printable(file.path)));
    }
    file.size = source["size"].get<std::uint64_t>();
    file.hash.sha256 = LowerAscii(TextOr(lfs, "sha256"));
    if (file.hash.sha256.empty()) {
      file.hash.git_sha1 = LowerAscii(TextOr(sibling, "blobId"));
    }
    const bool valid =
        file.hash.sha256.empty() ? IsHex(file.hash.git_sha1, 40) : IsHex(file.hash.sha256, 64);
    if (!valid) {
      return Unclear(repository, Format("has no hash for '{}'", Printable(file.path)));
    }
    files.push_back(std::move(file));
  }
  return files;
}

std::string LicenceOf(const Json& info) {
  if (info.contains("cardData")) {
    if (std::string licence = TextOr(info["cardData"], "license"); !licence.empty()) {
      return licence;
    }
  }
  if (info.contains("tags") && info["tags"].is_array()) {
    for (const Json& tag : info["tags"]) {
      if (tag.is_string() && tag.get<std::string>().starts_with("license:")) {
        return tag.get<std::string>().substr(8);
      }
    }
  }
  return "";
}

}  // namespace

Result<RemoteModel> LookUpHub(const std::string& repository, const std::string& quant,
                              const RemoteSettings& settings) {
  const std::string url =
      Format("{}/api/models/{}/revision/main?blobs=true", settings.hub, EncodePath(repository));
  TANDEM_ASSIGN_OR_RETURN(const HttpReply reply,
                          HttpGet(url, {}, settings.hub_token, settings.http));
  if (reply.status != 200) {
    return Refused(repository, reply, settings);
  }
  TANDEM_ASSIGN_OR_RETURN(const Json info, ParseJson(reply.body, Format("hf.co/{}", repository)));
  const std::string commit = TextOr(info, "sha");
  if (!IsHex(commit, 40) || !info.contains("siblings") || !info["siblings"].is_array()) {
    return Unclear(repository, "has no commit and list of files");
  }
  TANDEM_ASSIGN_OR_RETURN(const std::vector<RepositoryFile> files,
                          ReadFiles(repository, info["siblings"]));
  RemoteModel model;
  TANDEM_ASSIGN_OR_RETURN(
      const std::vector<RepositoryFile> chosen,
      ChooseFiles(
          files,
          {.name = Format("hf.co/{}", repository), .quant = quant, .vision = settings.vision},
          model.quant));
  model.name = Format("hf.co/{}:{}", repository, model.quant);
  model.origin = Format("hf.co/{}", repository);
  model.revision = commit;
  model.licence = LicenceOf(info);
  model.gated = info.contains("gated") && info["gated"] != Json(false);
  model.token = settings.hub_token;
  for (const RepositoryFile& file : chosen) {
    model.files.push_back({.role = file.role,
                           .path = file.path,
                           .url = Format("{}/{}/resolve/{}/{}", settings.hub,
                                         EncodePath(repository), commit, EncodePath(file.path)),
                           .headers = {},
                           .size = file.size,
                           .hash = file.hash});
  }
  return model;
}

}  // namespace tandem
