#include "store/media_fetch.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <curl/curl.h>

#include "base/format.h"
#include "store/curl_handle.h"
#include "store/http.h"
#include "store/url.h"

namespace tandem {
namespace {

constexpr int kMostRedirects = 5;

/// The addresses whose first `bits` bits are those of `first`.
struct AddressRange {
  std::array<std::uint8_t, 4> first;
  unsigned bits;
};
// Source: IANA, IPv4 Special-Purpose Address Registry; and multicast, 224.0.0.0/4.
constexpr AddressRange kNotPublic[] = {
    {{0, 0, 0, 0}, 8},      {{10, 0, 0, 0}, 8},     {{100, 64, 0, 0}, 10}, {{127, 0, 0, 0}, 8},
    {{169, 254, 0, 0}, 16}, {{172, 16, 0, 0}, 12},  {{192, 0, 0, 0}, 24},  {{192, 0, 2, 0}, 24},
    {{192, 88, 99, 0}, 24}, {{192, 168, 0, 0}, 16}, {{198, 18, 0, 0}, 15}, {{198, 51, 100, 0}, 24},
    {{203, 0, 113, 0}, 24}, {{224, 0, 0, 0}, 4},    {{240, 0, 0, 0}, 4},
};

bool StartsWithBits(std::span<const std::uint8_t> address, std::span<const std::uint8_t> first,
                    unsigned bits) {
  for (unsigned i = 0; i < bits; ++i) {
    if (((address[i / 8] ^ first[i / 8]) >> (7 - i % 8) & 1) != 0) {
      return false;
    }
  }
  return true;
}

bool IsPublicV4(std::span<const std::uint8_t> address) {
  return std::none_of(std::begin(kNotPublic), std::end(kNotPublic), [&](const AddressRange& range) {
    return StartsWithBits(address, range.first, range.bits);
  });
}

// Source: IANA, IPv6 Special-Purpose Address Registry and Global Unicast Address Assignments.
bool IsPublicV6(std::span<const std::uint8_t> address) {
  const auto in = [&](std::array<std::uint8_t, 12> first, unsigned bits) {
    return StartsWithBits(address, first, bits);
  };
  const bool mapped = in({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}, 96);
  const bool translated = in({0, 0x64, 0xFF, 0x9B}, 96);  // NAT64
  if (mapped || translated) {
    return IsPublicV4(address.subspan(12));
  }
  const bool global = in({0x20}, 3);
  const bool special = in({0x20, 0x01}, 23) || in({0x20, 0x01, 0x0D, 0xB8}, 32) ||
                       in({0x20, 0x02}, 16) || in({0x3F, 0xFF}, 20);
  return global && !special;
}

std::string AddressText(const sockaddr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof(v4));
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  } else if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof(v6));
    inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  }
  return text.data();
}

/// One request's answer, and what stopped it.
struct Transfer {
  const FetchLimits* limits = nullptr;
  const std::atomic<bool>* cancel = nullptr;
  HttpReply reply;
  bool too_long = false;
  std::string refused;  // the private address
};

std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* user) {
  static_cast<Transfer*>(user)->reply.headers.AddLine({data, size * count});
  return size * count;
}

std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  std::string& body = transfer->reply.body;
  if (size * count > transfer->limits->bytes - body.size()) {
    transfer->too_long = true;
    return 0;
  }
  body.append(data, size * count);
  return size * count;
}

int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const std::atomic<bool>* cancel = static_cast<Transfer*>(user)->cancel;
  return cancel != nullptr && cancel->load() ? 1 : 0;
}

curl_socket_t OnSocket(void* user, curlsocktype /*purpose*/, curl_sockaddr* address) {
  auto* transfer = static_cast<Transfer*>(user);
  if (!transfer->limits->allow_private && !IsPublicAddress(address->addr)) {
    transfer->refused = AddressText(address->addr);
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

Status TooLong(const std::string& url, const FetchLimits& limits) {
  return {StatusCode::kInvalidArgument, Format("{}: at most {} are fetched", UrlForPeople(url),
                                               FormatBytes(static_cast<double>(limits.bytes)))};
}

Status WhyNot(const std::string& url, const Transfer& transfer, CURLcode code) {
  if (transfer.cancel != nullptr && transfer.cancel->load()) {
    return {StatusCode::kCancelled, "interrupted"};
  }
  if (transfer.too_long || code == CURLE_FILESIZE_EXCEEDED) {
    return TooLong(url, *transfer.limits);
  }
  if (!transfer.refused.empty()) {
    return {StatusCode::kInvalidArgument,
            Format("{}: {} is an address of this machine or its own network, which is read only "
                   "with --allow-private-url",
                   UrlForPeople(url), transfer.refused)};
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return {StatusCode::kIo, Format("{}: not there within {} seconds", UrlForPeople(url),
                                    static_cast<double>(transfer.limits->time.count()) / 1000)};
  }
  return {StatusCode::kIo, Format("cannot fetch {}: {}", UrlForPeople(url),
                                  code == CURLE_UNSUPPORTED_PROTOCOL ? "only http and https are"
                                                                     : curl_easy_strerror(code))};
}

Result<HttpReply> GetOnce(const std::string& url, const FetchLimits& limits,
                          std::chrono::milliseconds left, const std::atomic<bool>* cancel) {
  const CurlEasy easy = NewCurlHandle({.stall = left, .cancel = cancel, .on_note = nullptr});
  const CurlList lines = RequestHeaders({}, "", url);
  Transfer transfer{.limits = &limits, .cancel = cancel, .reply = {}, .refused = ""};
  CURL* handle = easy.get();
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, lines.get());
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, &OnSocket);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &OnProgress);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
  curl_easy_setopt(handle, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(limits.bytes));
  if (!limits.allow_private) {
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
  }
  const CURLcode code = curl_easy_perform(handle);
  if (code != CURLE_OK) {
    return WhyNot(url, transfer, code);
  }
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &transfer.reply.status);
  return std::move(transfer.reply);
}

bool IsRedirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

bool IsPublicAddress(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof(v4));
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &v4.sin_addr, bytes.size());
    return IsPublicV4(bytes);
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof(v6));
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return IsPublicV6(bytes);
  }
  return false;
}

Result<std::string> FetchMedia(const std::string& url, const FetchLimits& limits,
                               const std::atomic<bool>* cancel) {
  const auto end = std::chrono::steady_clock::now() + limits.time;
  std::string at = url;
  for (int i = 0; i <= kMostRedirects; ++i) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    TANDEM_ASSIGN_OR_RETURN(
        HttpReply reply, GetOnce(at, limits, std::max(left, std::chrono::milliseconds(1)), cancel));
    if (!IsRedirect(reply.status)) {
      if (reply.status != 200) {
        return Status(StatusCode::kIo,
                      Format("{} answers with status {}", UrlForPeople(at), reply.status));
      }
      return std::move(reply.body);
    }
    TANDEM_ASSIGN_OR_RETURN(at, RedirectTarget(at, reply.headers.Get("location")));
  }
  return Status(StatusCode::kCorrupt,
                Format("{} redirects more than {} times", UrlForPeople(url), kMostRedirects));
}

}  // namespace tandem
