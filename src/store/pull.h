#pragma once

#include <functional>
#include <string>

#include "base/status.h"
#include "store/download.h"
#include "store/local_store.h"
#include "store/remote.h"

namespace tandem {

struct PullOptions {
  HttpSettings http;
  std::size_t connections = 4;
  /// `file`: what is being fetched; the numbers are those of the whole model. May be empty.
  std::function<void(const std::string& file, const DownloadProgress& model)> on_progress;
};

/// Fetches what is missing of `model` into the store and writes its record, last. A file of an
/// earlier pull that is still right stays; one that differs is replaced. Errors as Download().
Result<StoredModel> PullModel(const RemoteModel& model, const LocalStore& store,
                              const PullOptions& options);

}  // namespace tandem
