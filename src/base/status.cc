#include "base/status.h"

namespace tandem {

// Part of the public headers, so the shared library shows it.
[[gnu::visibility("default")]] std::string_view StatusCodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "Ok";
    case StatusCode::kInvalidArgument:
      return "InvalidArgument";
    case StatusCode::kNotFound:
      return "NotFound";
    case StatusCode::kCorrupt:
      return "Corrupt";
    case StatusCode::kUnsupported:
      return "Unsupported";
    case StatusCode::kOutOfMemory:
      return "OutOfMemory";
    case StatusCode::kCancelled:
      return "Cancelled";
    case StatusCode::kIo:
      return "Io";
    case StatusCode::kInternal:
      return "Internal";
  }
  return "Unknown";
}

}  // namespace tandem
