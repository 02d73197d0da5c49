#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/digest.h"
#include "store/http.h"
#include "store/model_name.h"

namespace tandem {

/// What a file of a model is for.
enum class FileRole { kModel, kProjector };

/// "model", "projector".
std::string_view FileRoleName(FileRole role);

/// A file of a model at its server.
struct RemoteFile {
  FileRole role = FileRole::kModel;
  std::string path;  // where it is kept below the store's folder for its origin; no "..", no root
  std::string url;
  std::vector<std::string> headers;
  std::uint64_t size = 0;
  ExpectedHash hash;
};

/// A model as its server describes it: nothing of it is guessed. The parts of a split model are
/// several files of the role kModel, in order.
struct RemoteModel {
  std::string name;      // canonical
  std::string origin;    // "hf.co/owner/repo", "registry.ollama.ai/library/phi4-mini"
  std::string revision;  // commit of the Hub, digest of the manifest
  std::string quant;     // empty when unknown
  std::string licence;   // empty when unknown
  bool gated = false;
  std::string token;  // for the origin of the files' addresses
  std::vector<RemoteFile> files;

  std::uint64_t TotalBytes() const;
};

/// Where models come from.
struct RemoteSettings {
  std::string hub = "https://huggingface.co";
  std::string hub_token;
  std::string registry = "https://registry.ollama.ai";
  std::string modelscope = "https://modelscope.cn";
  bool offline = false;
  bool vision = true;  // the projector too, where there is one
  HttpSettings http;

  /// HF_ENDPOINT, HF_TOKEN (or HUGGING_FACE_HUB_TOKEN, or the file of HF_TOKEN_PATH or
  /// $HF_HOME/token), HF_HUB_OFFLINE, TANDEM_OLLAMA_REGISTRY, TANDEM_MODELSCOPE. InvalidArgument
  /// names the variable that cannot be used, never the token.
  static Result<RemoteSettings> FromEnvironment();
};

/// Asks the server what `name` (catalogue, Hub, Ollama or ModelScope) consists of. A catalogue's
/// repositories are tried in order until one has the quant. NotFound and InvalidArgument (gated, no
/// access) say what to do; Io when the server cannot be reached; Corrupt for a reply that makes no
/// sense.
Result<RemoteModel> LookUpModel(const ModelName& name, const RemoteSettings& settings);

/// The servers. `quant` may be empty: Q4_K_M, else the first there is.
Result<RemoteModel> LookUpHub(const std::string& repository, const std::string& quant,
                              const RemoteSettings& settings);
Result<RemoteModel> LookUpOllama(const std::string& repository, const std::string& tag,
                                 const RemoteSettings& settings);
Result<RemoteModel> LookUpModelScope(const std::string& repository, const std::string& quant,
                                     const RemoteSettings& settings);

/// Whether `path`, as a server gave it, stays below the folder it is put in.
bool IsSafeRelativePath(std::string_view path);

}  // namespace tandem
