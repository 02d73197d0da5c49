#include "store/url.h"

#include <memory>
#include <string_view>

#include <curl/curl.h>

#include "base/format.h"
#include "store/ascii.h"

namespace tandem {
namespace {

using UrlHandle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

UrlHandle Parse(const std::string& url) {
  UrlHandle handle(curl_url(), &curl_url_cleanup);
  if (handle != nullptr && curl_url_set(handle.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
    handle.reset();
  }
  return handle;
}

std::string Part(const UrlHandle& handle, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (handle == nullptr || curl_url_get(handle.get(), part, &text, flags) != CURLUE_OK) {
    return "";
  }
  std::string out(text);
  curl_free(text);
  return out;
}

std::string Origin(const std::string& url) {
  const UrlHandle handle = Parse(url);
  return handle == nullptr ? ""
                           : LowerAscii(Format("{}://{}:{}", Part(handle, CURLUPART_SCHEME),
                                               Part(handle, CURLUPART_HOST),
                                               Part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT)));
}

}  // namespace

bool SameOrigin(const std::string& a, const std::string& b) {
  const std::string origin = Origin(a);
  return !origin.empty() && origin == Origin(b);
}

bool MaySendToken(const std::string& url) {
  const UrlHandle handle = Parse(url);
  const std::string scheme = LowerAscii(Part(handle, CURLUPART_SCHEME));
  const std::string host = LowerAscii(Part(handle, CURLUPART_HOST));
  return scheme == "https" ||
         (scheme == "http" && (host == "localhost" || host == "127.0.0.1" || host == "[::1]"));
}

Result<std::string> RedirectTarget(const std::string& from, const std::string& location) {
  const UrlHandle handle = Parse(from);
  // Setting the URL of a handle that has one resolves a relative address.
  if (handle == nullptr ||
      curl_url_set(handle.get(), CURLUPART_URL, location.c_str(), 0) != CURLUE_OK) {
    return Status(StatusCode::kCorrupt, Format("{} redirects to '{}', which is no address",
                                               UrlForPeople(from), Printable(location)));
  }
  const std::string scheme = LowerAscii(Part(handle, CURLUPART_SCHEME));
  const bool from_https = LowerAscii(from).starts_with("https:");
  if ((scheme != "http" && scheme != "https") || (scheme == "http" && from_https)) {
    return Status(StatusCode::kCorrupt,
                  Format("{} redirects to {}:, which is not followed", UrlForPeople(from), scheme));
  }
  return Part(handle, CURLUPART_URL);
}

std::string UrlForPeople(const std::string& url) {
  const UrlHandle handle = Parse(url);
  if (handle == nullptr) {
    return Printable(url.substr(0, url.find_first_of("?#")));
  }
  for (const CURLUPart part :
       {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT}) {
    curl_url_set(handle.get(), part, nullptr, 0);
  }
  return Printable(Part(handle, CURLUPART_URL), 200);
}

std::string EncodePath(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (LowerAscii(c) >= 'a' && LowerAscii(c) <= 'z') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : Format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace tandem
