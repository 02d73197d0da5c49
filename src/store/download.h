#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/digest.h"
#include "store/http.h"

namespace tandem {

/// A file to be fetched, as its server describes it.
struct DownloadSpec {
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  std::string token;                 // goes to the origin of `url` alone
  std::filesystem::path target;
  std::uint64_t size = 0;
  ExpectedHash hash;  // empty: only the length can be checked
};

/// What is known of a download while it runs.
struct DownloadProgress {
  std::uint64_t done = 0;  // bytes of the file that are there
  std::uint64_t total = 0;
  std::uint64_t fetched = 0;  // of them, by this call
};

struct DownloadOptions {
  HttpSettings http;
  std::size_t connections = 4;
  std::function<void(const DownloadProgress&)> on_progress;  // a few times a second; may be empty
};

/// Fetches `spec.target`: parallel ranges into TARGET.part, with a journal of what is there in
/// TARGET.part.journal; both stay when it fails or is killed, and the next call goes on from them.
/// The hash is computed while the bytes arrive; the file gets its name only when it is right.
/// A target that exists with the right size is left alone. Makes the target's folder.
/// Errors: Io (network, disk, full disk, another process at it), Corrupt (wrong hash or length; the
/// part is removed), NotFound (404, 410), InvalidArgument (401, 403), Cancelled. Each is one line
/// without secrets.
Status Download(const DownloadSpec& spec, const DownloadOptions& options);

}  // namespace tandem
