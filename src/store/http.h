#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace tandem {

/// The header lines of a reply. A value.
class HttpHeaders {
 public:
  /// Takes one line of the reply; a status line forgets those before it (of a redirect or proxy).
  void AddLine(std::string_view line);
  /// The last value of a name in any letter case, or "".
  std::string Get(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

struct HttpReply {
  long status = 0;
  HttpHeaders headers;
  std::string body;
};

/// How patient and how loud requests are.
struct HttpSettings {
  std::chrono::milliseconds stall{30'000};    // longest time without a byte
  int attempts = 6;                           // in a row without progress
  std::chrono::milliseconds first_wait{500};  // before the second attempt; doubles up to 30 s
  const std::atomic<bool>* cancel = nullptr;
  std::function<void(const std::string&)> on_note;  // a line for the user; may be empty

  /// The stall time from HF_HUB_DOWNLOAD_TIMEOUT and the attempts from TANDEM_DOWNLOAD_ATTEMPTS,
  /// where they are set to a positive number.
  static HttpSettings FromEnvironment();
};

/// Gets a small document: at most `limit_bytes`. Follows up to five redirects; the token goes to
/// the first origin only, and only over https or to this machine. Tries again after failures of the
/// connection, 408, 429 and 5xx, as long as Retry-After asks (five minutes at most). Any other
/// status is a reply, not an error. Errors: Io, Corrupt (bad redirect), Cancelled.
Result<HttpReply> HttpGet(const std::string& url, const std::vector<std::string>& headers,
                          const std::string& token, const HttpSettings& settings,
                          std::size_t limit_bytes = std::size_t{64} << 20);

/// Whether trying again may help.
bool IsTransientStatus(long status);
/// The wait that a reply asks for with Retry-After (seconds or a date), else nothing; cut to five
/// minutes.
std::optional<std::chrono::milliseconds> RetryAfter(const HttpHeaders& headers);
/// Sleeps; false when cancelled meanwhile.
bool WaitFor(std::chrono::milliseconds time, const std::atomic<bool>* cancel);
/// The wait before attempt `failures` + 1.
std::chrono::milliseconds BackOff(const HttpSettings& settings, int failures);

}  // namespace tandem
