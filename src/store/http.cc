#include "store/http.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <mutex>
#include <thread>

#include <curl/curl.h>

#include "base/format.h"
#include "base/trim.h"
#include "store/ascii.h"
#include "store/curl_handle.h"
#include "store/url.h"

namespace tandem {
namespace {

constexpr int kMostRedirects = 5;
constexpr std::chrono::milliseconds kLongestRetryAfter{300'000};

int PositiveFromEnvironment(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  int value = 0;
  if (text == nullptr) {
    return otherwise;
  }
  const std::string_view view(text);
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  return error == std::errc() && end == view.data() + view.size() && value > 0 ? value : otherwise;
}

struct Collected {
  HttpReply reply;
  std::size_t limit = 0;
  bool too_long = false;
};

std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* user) {
  static_cast<Collected*>(user)->reply.headers.AddLine({data, size * count});
  return size * count;
}

std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* user) {
  auto* collected = static_cast<Collected*>(user);
  if (collected->reply.body.size() + size * count > collected->limit) {
    collected->too_long = true;
    return 0;
  }
  collected->reply.body.append(data, size * count);
  return size * count;
}

int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto* cancel = static_cast<const std::atomic<bool>*>(user);
  return cancel != nullptr && cancel->load() ? 1 : 0;
}

Status Cancelled() {
  return {StatusCode::kCancelled, "interrupted"};
}

// One request without redirects and without a second attempt.
Result<HttpReply> GetOnce(const std::string& url, const std::vector<std::string>& headers,
                          const std::string& token, const HttpSettings& settings,
                          std::size_t limit_bytes) {
  const CurlEasy easy = NewCurlHandle(settings);
  const CurlList lines = RequestHeaders(headers, token, url);
  Collected collected{.reply = {}, .limit = limit_bytes};
  CURL* handle = easy.get();
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, lines.get());
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &collected);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &collected);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &OnProgress);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA,
                   const_cast<std::atomic<bool>*>(settings.cancel));  // libcurl hands it back
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME,
                   std::max(1L, static_cast<long>(settings.stall.count() / 1000)));
  const CURLcode code = curl_easy_perform(handle);
  if (settings.cancel != nullptr && settings.cancel->load()) {
    return Cancelled();
  }
  if (collected.too_long) {
    return Status(StatusCode::kCorrupt, Format("{} answers with more than {}", UrlForPeople(url),
                                               FormatBytes(static_cast<double>(limit_bytes))));
  }
  if (code != CURLE_OK) {
    return Status(StatusCode::kIo,
                  Format("cannot read {}: {}", UrlForPeople(url), curl_easy_strerror(code)));
  }
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &collected.reply.status);
  return std::move(collected.reply);
}

bool IsRedirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

Result<HttpReply> GetFollowing(const std::string& first, const std::vector<std::string>& headers,
                               const std::string& token, const HttpSettings& settings,
                               std::size_t limit_bytes) {
  std::string url = first;
  for (int i = 0; i <= kMostRedirects; ++i) {
    const std::string& sent = SameOrigin(url, first) ? token : std::string();
    TANDEM_ASSIGN_OR_RETURN(HttpReply reply, GetOnce(url, headers, sent, settings, limit_bytes));
    if (!IsRedirect(reply.status)) {
      return reply;
    }
    TANDEM_ASSIGN_OR_RETURN(url, RedirectTarget(url, reply.headers.Get("location")));
  }
  return Status(StatusCode::kCorrupt,
                Format("{} redirects more than {} times", UrlForPeople(first), kMostRedirects));
}

}  // namespace

void HttpHeaders::AddLine(std::string_view line) {
  if (line.starts_with("HTTP/")) {
    fields_.clear();
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    fields_.emplace_back(LowerAscii(Trimmed(line.substr(0, colon))),
                         Trimmed(line.substr(colon + 1)));
  }
}

std::string HttpHeaders::Get(std::string_view name) const {
  const std::string key = LowerAscii(name);
  for (auto field = fields_.rbegin(); field != fields_.rend(); ++field) {
    if (field->first == key) {
      return field->second;
    }
  }
  return "";
}

HttpSettings HttpSettings::FromEnvironment() {
  HttpSettings settings;
  const auto stall = static_cast<int>(settings.stall.count() / 1000);
  settings.stall = std::chrono::seconds(PositiveFromEnvironment("HF_HUB_DOWNLOAD_TIMEOUT", stall));
  settings.attempts = PositiveFromEnvironment("TANDEM_DOWNLOAD_ATTEMPTS", settings.attempts);
  return settings;
}

bool IsTransientStatus(long status) {
  return status == 408 || status == 429 || (status >= 500 && status != 501);
}

std::optional<std::chrono::milliseconds> RetryAfter(const HttpHeaders& headers) {
  const std::string text = headers.Get("retry-after");
  if (text.empty()) {
    return std::nullopt;
  }
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) {
    const time_t date = curl_getdate(text.c_str(), nullptr);
    if (date < 0) {
      return std::nullopt;
    }
    seconds = static_cast<std::int64_t>(date) - static_cast<std::int64_t>(std::time(nullptr));
  }
  const std::int64_t most = kLongestRetryAfter.count() / 1000;
  return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, most));
}

bool WaitFor(std::chrono::milliseconds time, const std::atomic<bool>* cancel) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
    if (cancel != nullptr && cancel->load()) {
      return false;
    }
    std::this_thread::sleep_for(std::min<std::chrono::milliseconds>(
        std::chrono::milliseconds(50), std::chrono::duration_cast<std::chrono::milliseconds>(
                                           end - std::chrono::steady_clock::now())));
  }
  return true;
}

std::chrono::milliseconds BackOff(const HttpSettings& settings, int failures) {
  constexpr std::chrono::milliseconds kLongest{30'000};
  return std::min(kLongest, settings.first_wait * (1 << std::clamp(failures - 1, 0, 10)));
}

CurlEasy NewCurlHandle(const HttpSettings& settings) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  CurlEasy easy(curl_easy_init(), &curl_easy_cleanup);
  CURL* handle = easy.get();
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "tandem");
  curl_easy_setopt(handle, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings.stall.count()));
  return easy;
}

CurlList RequestHeaders(const std::vector<std::string>& lines, const std::string& token,
                        const std::string& url) {
  curl_slist* list = curl_slist_append(nullptr, "Accept-Encoding: identity");
  for (const std::string& line : lines) {
    list = curl_slist_append(list, line.c_str());
  }
  if (!token.empty() && MaySendToken(url)) {
    list = curl_slist_append(list, Format("Authorization: Bearer {}", token).c_str());
  }
  return {list, &curl_slist_free_all};
}

Result<HttpReply> HttpGet(const std::string& url, const std::vector<std::string>& headers,
                          const std::string& token, const HttpSettings& settings,
                          std::size_t limit_bytes) {
  for (int failures = 1;; ++failures) {
    Result<HttpReply> reply = GetFollowing(url, headers, token, settings, limit_bytes);
    const bool transient =
        reply.ok() ? IsTransientStatus(reply->status) : reply.status().code() == StatusCode::kIo;
    if (!transient || failures >= settings.attempts) {
      return reply;
    }
    const std::optional<std::chrono::milliseconds> asked =
        reply.ok() ? RetryAfter(reply->headers) : std::nullopt;
    if (!WaitFor(asked.value_or(BackOff(settings, failures)), settings.cancel)) {
      return Cancelled();
    }
  }
}

}  // namespace tandem
