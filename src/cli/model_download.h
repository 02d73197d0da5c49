#pragma once

#include <string>

#include "base/status.h"
#include "store/local_store.h"
#include "store/remote.h"

namespace tandem {

/// How a download is asked for and shown.
struct DownloadManners {
  bool yes = false;    // do not ask
  bool quiet = false;  // no progress
};

/// "hf.co/unsloth/Qwen3.5-4B-GGUF, 3.41 GB in 2 files, licence Apache-2.0".
std::string DescribeRemote(const RemoteModel& model);

/// Fetches a model into Tandem's store with a progress bar on a terminal. Ctrl-C stops it
/// (Cancelled); what was fetched stays for the next time.
Result<StoredModel> DownloadModel(const RemoteModel& model, const RemoteSettings& settings,
                                  const DownloadManners& manners);

/// Makes sure that the model a person named is on this machine, before it is opened: on a terminal
/// says size and licence and asks; elsewhere it needs `yes`. Does nothing for files, built-in names
/// and names of no known place, which whoever opens them judges. NotFound when the answer is no.
Status EnsureModel(const std::string& name, const DownloadManners& manners);

}  // namespace tandem
