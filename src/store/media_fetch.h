#pragma once

#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>

#include "base/status.h"

namespace tandem {

/// What fetching one picture or clip may cost, and where it may come from.
struct FetchLimits {
  std::size_t bytes = 0;
  std::chrono::milliseconds time{0};  // from the first connection to the last byte
  bool allow_private = false;         // also addresses that are not public
};
inline constexpr FetchLimits kPictureFetch = {.bytes = std::size_t{64} << 20,
                                              .time = std::chrono::minutes(1)};
inline constexpr FetchLimits kClipFetch = {.bytes = std::size_t{256} << 20,
                                           .time = std::chrono::minutes(5)};

/// Gets a picture or clip over http or https, redirects followed (never from https to http). Each
/// connection's own address is looked at, so neither a redirect nor a name that changes its address
/// leads to a private one. Without allow_private no proxy is used: it would connect on our behalf.
/// InvalidArgument for a private address or an answer past the limits, Io for failed connections
/// and for any status but 200, Corrupt for bad redirects, Cancelled. Errors name the address
/// without user and query. Thread-safe.
Result<std::string> FetchMedia(const std::string& url, const FetchLimits& limits,
                               const std::atomic<bool>* cancel);

/// Whether an internet address belongs to the public network: none of this machine, of a local or
/// carrier's network, for documentation, tests or many receivers. IPv4 inside IPv6 counts as IPv4.
bool IsPublicAddress(const sockaddr& address);

}  // namespace tandem
