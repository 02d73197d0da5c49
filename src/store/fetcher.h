#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "store/digest.h"
#include "store/download.h"
#include "store/journal.h"

namespace tandem {

/// Fills the missing blocks of a part file over several connections, on the calling thread. One
/// object, one Run(). The descriptor and the journal must outlive it.
class Fetcher {
 public:
  Fetcher(const DownloadSpec& spec, const DownloadOptions& options, int part_fd, Journal& journal);
  ~Fetcher();
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  /// Returns when every block is there and hashed. Errors as Download().
  Status Run();
  /// The hash of the whole file; after Run() has succeeded.
  std::string HashHex() { return digest_.Hex(); }

 private:
  struct Transfer;
  struct Multi;
  using Clock = std::chrono::steady_clock;

  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* user);
  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* user);

  // Whether the reply is the bytes that were asked for; looked at once, with the first byte.
  Status CheckReply(Transfer& transfer, long status);
  Status CheckEntityTag(const Transfer& transfer);
  Status WriteBytes(Transfer& transfer, const char* data, std::size_t length);

  Status StartTransfers();
  Status Start(std::size_t block);
  std::optional<std::size_t> NextBlock() const;
  Status FinishTransfers();
  Status Finish(Transfer& transfer, int curl_code);
  Status FinishRefused(const Transfer& transfer, long status);
  Status StartOverAsStream();
  Status StopStalled();
  // Counts a failure without progress; the error when there were too many in a row.
  Status Fail(const Status& why, std::optional<std::chrono::milliseconds> wait);
  void StopAll();
  Status HashFinished(std::uint64_t budget);
  void Report(bool now);

  const DownloadSpec& spec_;
  const DownloadOptions& options_;
  int part_fd_;
  Journal& journal_;
  std::unique_ptr<Multi> multi_;
  std::list<Transfer> transfers_;
  std::string url_;       // where the bytes are, after redirects
  bool settled_ = false;  // a reply with bytes has come from url_
  bool stream_ = false;   // the server knows no ranges
  bool stream_needed_ = false;
  int redirects_ = 0;
  int failures_ = 0;
  Clock::time_point not_before_{};
  std::string entity_tag_;
  std::string entity_origin_;
  Digest digest_;
  std::uint64_t hashed_ = 0;
  std::uint64_t fetched_ = 0;
  Clock::time_point reported_{};
};

}  // namespace tandem
