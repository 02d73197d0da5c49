#include "store/pull.h"

#include <chrono>
#include <system_error>

#include "base/format.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

// A damaged file, or one of another version, must not be taken for the one that is wanted because
// it has its length.
Status RemoveUnlessRight(const RemoteFile& file, const fs::path& target) {
  std::error_code error;
  if (!fs::exists(target, error)) {
    return OkStatus();
  }
  const Result<std::string> found = HashFile(target, file.hash, nullptr, nullptr);
  if (found.ok() && *found == file.hash.hex()) {
    return OkStatus();
  }
  fs::remove(target, error);
  return error ? Status(StatusCode::kIo, Format("cannot remove '{}': {}",
                                                Printable(target.string()), error.message()))
               : OkStatus();
}

Status Explain(const RemoteModel& model, const Status& status) {
  if (model.gated && status.code() == StatusCode::kInvalidArgument) {
    return {status.code(), Format("{} is gated: accept its terms at https://huggingface.co/{} and "
                                  "set HF_TOKEN",
                                  model.origin, model.origin.substr(model.origin.find('/') + 1))};
  }
  return status;
}

}  // namespace

Result<StoredModel> PullModel(const RemoteModel& model, const LocalStore& store,
                              const PullOptions& options) {
  StoredModel stored{.name = model.name,
                     .origin = model.origin,
                     .revision = model.revision,
                     .quant = model.quant,
                     .licence = model.licence,
                     .files = {}};
  std::uint64_t before = 0;
  std::uint64_t fetched = 0;
  for (const RemoteFile& file : model.files) {
    const fs::path target = store.PathFor(model.origin, file.path);
    TANDEM_RETURN_IF_ERROR(RemoveUnlessRight(file, target));
    DownloadOptions download{
        .http = options.http, .connections = options.connections, .on_progress = {}};
    std::uint64_t of_this = 0;
    download.on_progress = [&](const DownloadProgress& progress) {
      of_this = progress.fetched;
      if (options.on_progress) {
        options.on_progress(file.path, {.done = before + progress.done,
                                        .total = model.TotalBytes(),
                                        .fetched = fetched + progress.fetched});
      }
    };
    const Status status = Download({.url = file.url,
                                    .headers = file.headers,
                                    .token = model.token,
                                    .target = target,
                                    .size = file.size,
                                    .hash = file.hash},
                                   download);
    if (!status.ok()) {
      return Explain(model, status);
    }
    before += file.size;
    fetched += of_this;
    stored.files.push_back(
        {.role = file.role, .path = target, .size = file.size, .hash = file.hash});
  }
  stored.pulled = std::chrono::duration_cast<std::chrono::seconds>(
                      std::chrono::system_clock::now().time_since_epoch())
                      .count();
  TANDEM_RETURN_IF_ERROR(store.Save(stored));
  return stored;
}

}  // namespace tandem
