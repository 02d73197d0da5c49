// The registry of Ollama: a manifest that names blobs by their SHA-256.
#include <algorithm>

#include "base/format.h"
#include "io/json.h"
#include "store/remote.h"
#include "store/url.h"

namespace tandem {
namespace {

constexpr std::string_view kLayer = "application/vnd.ollama.image.";

std::string TextOr(const Json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_string()
             ? object[key].get<std::string>()
             : "";
}

Status Unclear(const std::string& name, const std::string& what) {
  return {StatusCode::kCorrupt, Format("ollama:{}: the manifest {}", name, what)};
}

bool IsDigest(const std::string& digest) {
  return digest.size() == 71 && digest.starts_with("sha256:") &&
         digest.find_first_not_of("0123456789abcdef", 7) == std::string::npos;
}

}  // namespace

Result<RemoteModel> LookUpOllama(const std::string& repository, const std::string& tag,
                                 const RemoteSettings& settings) {
  const std::string name = Format("{}:{}", repository, tag);
  if (std::count(repository.begin(), repository.end(), '/') > 1) {
    return Status(
        StatusCode::kInvalidArgument,
        Format("ollama:{} is of another registry; only models of registry.ollama.ai can be "
               "pulled, and hf.co/OWNER/REPOSITORY of the Hub",
               name));
  }
  const std::string base = Format("{}/v2/{}", settings.registry, EncodePath(repository));
  const std::string url = Format("{}/manifests/{}", base, EncodePath(tag));
  const std::vector<std::string> accept = {
      "Accept: application/vnd.docker.distribution.manifest.v2+json"};
  TANDEM_ASSIGN_OR_RETURN(const HttpReply reply, HttpGet(url, accept, "", settings.http));
  if (reply.status == 404) {
    return Status(StatusCode::kNotFound, Format("the registry has no ollama:{}", name));
  }
  if (reply.status == 401 || reply.status == 403) {
    return Status(StatusCode::kInvalidArgument,
                  Format("ollama:{} is not public (status {})", name, reply.status));
  }
  if (reply.status != 200) {
    return Status(StatusCode::kIo,
                  Format("{} answers with status {}", UrlForPeople(url), reply.status));
  }
  TANDEM_ASSIGN_OR_RETURN(const Json manifest, ParseJson(reply.body, Format("ollama:{}", name)));
  if (!manifest.is_object() || !manifest.contains("layers") || !manifest["layers"].is_array()) {
    return Unclear(name, "has no layers");
  }
  RemoteModel model;
  model.name = Format("ollama:{}", name);
  model.origin = Format("registry.ollama.ai/{}", repository);
  Digest digest;
  digest.Add(reply.body);
  model.revision = digest.Hex();
  for (const Json& layer : manifest["layers"]) {
    const std::string type = TextOr(layer, "mediaType");
    const bool is_model = type == Format("{}model", kLayer);
    const bool is_projector = type == Format("{}projector", kLayer);
    if (!is_model && !(is_projector && settings.vision)) {
      continue;
    }
    const std::string blob = TextOr(layer, "digest");
    if (!IsDigest(blob) || !layer.contains("size") || !layer["size"].is_number_unsigned()) {
      return Unclear(name, "has a layer without digest and size");
    }
    RemoteFile& file = model.files.emplace_back();
    file.role = is_model ? FileRole::kModel : FileRole::kProjector;
    file.path = Format("{}/{}.gguf", tag, FileRoleName(file.role));
    file.url = Format("{}/blobs/{}", base, blob);
    file.size = layer["size"].get<std::uint64_t>();
    file.hash.sha256 = blob.substr(7);
  }
  if (model.files.empty() || model.files.front().role != FileRole::kModel) {
    return Unclear(name, "names no GGUF model");
  }
  return model;
}

}  // namespace tandem
