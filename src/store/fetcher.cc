#include "store/fetcher.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <vector>

#include <curl/curl.h>

#include "base/format.h"
#include "io/descriptor.h"
#include "store/curl_handle.h"
#include "store/url.h"

namespace tandem {
namespace {

constexpr int kMostRedirects = 5;

// "bytes 100-199/1000": where the bytes begin and how long the whole is (nothing for *).
struct ContentRange {
  std::optional<std::uint64_t> begin;
  std::optional<std::uint64_t> total;
};

std::optional<std::uint64_t> Number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                  : std::nullopt;
}

ContentRange ParseContentRange(std::string_view text) {
  ContentRange range;
  const std::size_t space = text.find(' ');
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (space == text.npos || slash == text.npos) {
    return range;
  }
  if (dash != text.npos && dash < slash) {
    range.begin = Number(text.substr(space + 1, dash - space - 1));
  }
  range.total = Number(text.substr(slash + 1));
  return range;
}

}  // namespace

struct Fetcher::Multi {
  std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)> handle{curl_multi_init(),
                                                               &curl_multi_cleanup};
};

// One request for the bytes [position, end) of the file.
struct Fetcher::Transfer {
  Fetcher* owner = nullptr;
  CurlEasy easy{nullptr, &curl_easy_cleanup};
  CurlList lines{nullptr, &curl_slist_free_all};
  std::string url;
  std::size_t block = 0;
  std::uint64_t position = 0;
  std::uint64_t end = 0;
  HttpHeaders headers;
  bool accepted = false;
  Status error;
  Clock::time_point last_byte = Clock::now();
};

Fetcher::Fetcher(const DownloadSpec& spec, const DownloadOptions& options, int part_fd,
                 Journal& journal)
    : spec_(spec),
      options_(options),
      part_fd_(part_fd),
      journal_(journal),
      multi_(std::make_unique<Multi>()),
      url_(spec.url),
      digest_(spec.hash.Start(spec.size)) {}

Fetcher::~Fetcher() {
  StopAll();
}

Status Fetcher::Run() {
  constexpr std::uint64_t kHashPerRound = std::uint64_t{8} << 20;
  while (journal_.TotalDone() < journal_.size()) {
    if (options_.http.cancel != nullptr && options_.http.cancel->load()) {
      return {StatusCode::kCancelled, "interrupted"};
    }
    TANDEM_RETURN_IF_ERROR(StartTransfers());
    int running = 0;
    curl_multi_perform(multi_->handle.get(), &running);
    TANDEM_RETURN_IF_ERROR(FinishTransfers());
    TANDEM_RETURN_IF_ERROR(StopStalled());
    TANDEM_RETURN_IF_ERROR(HashFinished(kHashPerRound));
    Report(false);
    const bool busy = journal_.Frontier() > hashed_;
    curl_multi_poll(multi_->handle.get(), nullptr, 0, busy ? 0 : 100, nullptr);
  }
  StopAll();
  while (hashed_ < journal_.size()) {
    TANDEM_RETURN_IF_ERROR(HashFinished(kHashPerRound));
    if (options_.http.cancel != nullptr && options_.http.cancel->load()) {
      return {StatusCode::kCancelled, "interrupted"};
    }
  }
  Report(true);
  return OkStatus();
}

std::optional<std::size_t> Fetcher::NextBlock() const {
  for (std::size_t block = 0; block < journal_.blocks(); ++block) {
    const bool taken = std::any_of(transfers_.begin(), transfers_.end(),
                                   [&](const Transfer& t) { return t.block == block; });
    if (!taken && !journal_.Complete(block)) {
      return block;
    }
  }
  return std::nullopt;
}

Status Fetcher::StartTransfers() {
  // One request finds out where the bytes are and whether there are ranges, the others follow.
  const std::size_t most =
      settled_ && !stream_ ? std::max<std::size_t>(1, options_.connections) : 1;
  while (transfers_.size() < most && Clock::now() >= not_before_) {
    const std::optional<std::size_t> block = NextBlock();
    if (!block.has_value()) {
      break;
    }
    TANDEM_RETURN_IF_ERROR(Start(*block));
  }
  return OkStatus();
}

Status Fetcher::Start(std::size_t block) {
  Transfer& transfer = transfers_.emplace_back();
  transfer.owner = this;
  transfer.url = url_;
  transfer.block = block;
  transfer.position = journal_.BlockBegin(block) + journal_.Done(block);
  transfer.end = stream_ ? journal_.size() : journal_.BlockEnd(block);
  transfer.easy = NewCurlHandle(options_.http);
  std::vector<std::string> headers = spec_.headers;
  if (!stream_) {
    headers.push_back(Format("Range: bytes={}-{}", transfer.position, transfer.end - 1));
  }
  const bool home = SameOrigin(transfer.url, spec_.url);
  transfer.lines = RequestHeaders(headers, home ? spec_.token : std::string(), transfer.url);
  CURL* handle = transfer.easy.get();
  curl_easy_setopt(handle, CURLOPT_URL, transfer.url.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, transfer.lines.get());
  // Streams of one HTTP/2 connection would share its window; separate connections do not.
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, 256L * 1024L);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &Fetcher::OnHeader);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &Fetcher::OnBody);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_PRIVATE, &transfer);
  curl_multi_add_handle(multi_->handle.get(), handle);
  return OkStatus();
}

std::size_t Fetcher::OnHeader(char* data, std::size_t size, std::size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  transfer->headers.AddLine({data, size * count});
  transfer->last_byte = Clock::now();
  return size * count;
}

std::size_t Fetcher::OnBody(char* data, std::size_t size, std::size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  Fetcher& fetcher = *transfer->owner;
  transfer->last_byte = Clock::now();
  if (!transfer->accepted) {
    long status = 0;
    curl_easy_getinfo(transfer->easy.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status != 200 && status != 206) {
      return size * count;  // the page of an error; Finish() looks at the status
    }
    transfer->error = fetcher.CheckReply(*transfer, status);
    if (!transfer->error.ok() || fetcher.stream_needed_) {
      return 0;
    }
    transfer->accepted = true;
    fetcher.settled_ = true;
  }
  transfer->error = fetcher.WriteBytes(*transfer, data, size * count);
  return transfer->error.ok() ? size * count : 0;
}

Status Fetcher::CheckReply(Transfer& transfer, long status) {
  const std::uint64_t size = journal_.size();
  std::optional<std::uint64_t> total;
  if (status == 206) {
    const ContentRange range = ParseContentRange(transfer.headers.Get("content-range"));
    if (range.begin != transfer.position) {
      return {StatusCode::kIo,
              Format("{} sends other bytes than were asked for (Content-Range: {})",
                     UrlForPeople(transfer.url), Printable(transfer.headers.Get("content-range")))};
    }
    total = range.total;
  } else {
    total = Number(transfer.headers.Get("content-length"));
    stream_needed_ = !stream_ && !(transfer.position == 0 && transfer.end == size);
  }
  if (total.has_value() && *total != size) {
    return {StatusCode::kCorrupt, Format("{} has {} bytes, but {} were promised",
                                         UrlForPeople(transfer.url), *total, size)};
  }
  return CheckEntityTag(transfer);
}

Status Fetcher::CheckEntityTag(const Transfer& transfer) {
  const std::string tag = transfer.headers.Get("etag");
  if (tag.empty()) {
    return OkStatus();
  }
  if (entity_tag_.empty() || !SameOrigin(transfer.url, entity_origin_)) {
    entity_tag_ = tag;
    entity_origin_ = transfer.url;
  } else if (entity_tag_ != tag) {
    return {StatusCode::kCorrupt,
            Format("{} changed while it was downloaded (ETag {}, then {})",
                   UrlForPeople(transfer.url), Printable(entity_tag_), Printable(tag))};
  }
  return OkStatus();
}

Status Fetcher::WriteBytes(Transfer& transfer, const char* data, std::size_t length) {
  if (length > transfer.end - transfer.position) {
    return {StatusCode::kCorrupt,
            Format("{} sends more bytes than were asked for", UrlForPeople(transfer.url))};
  }
  failures_ = 0;
  while (length > 0) {
    const auto block = static_cast<std::size_t>(transfer.position / journal_.block_bytes());
    const std::size_t piece =
        std::min<std::uint64_t>(length, journal_.BlockEnd(block) - transfer.position);
    const ssize_t written = pwrite(part_fd_, data, piece, static_cast<off_t>(transfer.position));
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return SystemError("write", spec_.target, errno);
    }
    const auto count = static_cast<std::size_t>(written);
    TANDEM_RETURN_IF_ERROR(journal_.Advance(block, count));
    transfer.position += count;
    fetched_ += count;
    data += count;
    length -= count;
  }
  return OkStatus();
}

Status Fetcher::FinishTransfers() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_->handle.get(), &left)) {
    if (message->msg != CURLMSG_DONE) {
      continue;
    }
    const CURLcode code = message->data.result;
    const CURL* easy = message->easy_handle;
    const auto transfer = std::find_if(transfers_.begin(), transfers_.end(),
                                       [&](const Transfer& t) { return t.easy.get() == easy; });
    curl_multi_remove_handle(multi_->handle.get(), transfer->easy.get());
    const Status status = Finish(*transfer, code);
    transfers_.erase(transfer);
    TANDEM_RETURN_IF_ERROR(status);
    if (stream_needed_) {
      return StartOverAsStream();
    }
  }
  return OkStatus();
}

Status Fetcher::Finish(Transfer& transfer, int curl_code) {
  if (stream_needed_) {
    return OkStatus();
  }
  if (transfer.error.code() == StatusCode::kIo && !transfer.accepted) {
    return Fail(transfer.error, std::nullopt);
  }
  TANDEM_RETURN_IF_ERROR(transfer.error);
  long status = 0;
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_RESPONSE_CODE, &status);
  if (transfer.accepted && transfer.position == transfer.end) {
    return OkStatus();
  }
  const auto code = static_cast<CURLcode>(curl_code);
  if (transfer.accepted || code != CURLE_OK || status == 200 || status == 206) {
    if (stream_) {
      TANDEM_RETURN_IF_ERROR(StartOverAsStream());
    }
    const char* why = code == CURLE_OK ? "the reply ended early" : curl_easy_strerror(code);
    return Fail({StatusCode::kIo, Format("cannot read {}: {}", UrlForPeople(transfer.url), why)},
                std::nullopt);
  }
  if (status >= 300 && status < 400) {
    if (++redirects_ > kMostRedirects) {
      return {StatusCode::kCorrupt,
              Format("{} redirects more than {} times", UrlForPeople(spec_.url), kMostRedirects)};
    }
    TANDEM_ASSIGN_OR_RETURN(url_, RedirectTarget(transfer.url, transfer.headers.Get("location")));
    return OkStatus();
  }
  return FinishRefused(transfer, status);
}

Status Fetcher::FinishRefused(const Transfer& transfer, long status) {
  const std::string where = UrlForPeople(transfer.url);
  if (status == 416) {
    const ContentRange range = ParseContentRange(transfer.headers.Get("content-range"));
    return {StatusCode::kCorrupt,
            range.total.has_value()
                ? Format("{} has {} bytes, but {} were promised", where, *range.total, spec_.size)
                : Format("{} refuses the bytes {} to {} of {} (status 416)", where,
                         transfer.position, transfer.end, spec_.size)};
  }
  if (IsTransientStatus(status)) {
    return Fail({StatusCode::kIo, Format("{} answers with status {}", where, status)},
                RetryAfter(transfer.headers));
  }
  if (transfer.url != spec_.url) {
    // A signed address has had its time: ask for a new one.
    url_ = spec_.url;
    redirects_ = 0;
    settled_ = false;
    return Fail({StatusCode::kIo, Format("{} answers with status {}", where, status)},
                std::chrono::milliseconds(0));
  }
  if (status == 401 || status == 403) {
    return {StatusCode::kInvalidArgument,
            Format("{} does not give the file away (status {}); a token may be missing", where,
                   status)};
  }
  return {status == 404 || status == 410 ? StatusCode::kNotFound : StatusCode::kIo,
          Format("{} answers with status {}", where, status)};
}

Status Fetcher::StartOverAsStream() {
  StopAll();
  stream_ = true;
  stream_needed_ = false;
  hashed_ = 0;
  digest_ = spec_.hash.Start(spec_.size);
  return journal_.Clear();
}

Status Fetcher::StopStalled() {
  const auto now = Clock::now();
  for (auto transfer = transfers_.begin(); transfer != transfers_.end(); ++transfer) {
    if (now - transfer->last_byte > options_.http.stall) {
      const Status why(StatusCode::kIo,
                       Format("{} sent nothing for {} s", UrlForPeople(transfer->url),
                              options_.http.stall.count() / 1000));
      curl_multi_remove_handle(multi_->handle.get(), transfer->easy.get());
      transfers_.erase(transfer);
      if (stream_) {
        TANDEM_RETURN_IF_ERROR(StartOverAsStream());
      }
      return Fail(why, std::chrono::milliseconds(0));
    }
  }
  return OkStatus();
}

Status Fetcher::Fail(const Status& why, std::optional<std::chrono::milliseconds> wait) {
  if (Clock::now() < not_before_) {
    return OkStatus();  // a neighbour's failure of the same moment has been counted
  }
  if (++failures_ >= options_.http.attempts) {
    return why;
  }
  not_before_ = Clock::now() + wait.value_or(BackOff(options_.http, failures_));
  return OkStatus();
}

void Fetcher::StopAll() {
  for (Transfer& transfer : transfers_) {
    curl_multi_remove_handle(multi_->handle.get(), transfer.easy.get());
  }
  transfers_.clear();
}

Status Fetcher::HashFinished(std::uint64_t budget) {
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  const std::uint64_t end = std::min(journal_.Frontier(), hashed_ + budget);
  while (hashed_ < end) {
    const std::size_t piece = std::min<std::uint64_t>(buffer.size(), end - hashed_);
    const ssize_t count = pread(part_fd_, buffer.data(), piece, static_cast<off_t>(hashed_));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      return SystemError("read", spec_.target, count < 0 ? errno : EIO);
    }
    digest_.Add(std::span(buffer).first(static_cast<std::size_t>(count)));
    hashed_ += static_cast<std::uint64_t>(count);
  }
  return OkStatus();
}

void Fetcher::Report(bool now) {
  constexpr std::chrono::milliseconds kPause{100};
  if (options_.on_progress && (now || Clock::now() - reported_ >= kPause)) {
    reported_ = Clock::now();
    options_.on_progress(
        {.done = journal_.TotalDone(), .total = journal_.size(), .fetched = fetched_});
  }
}

}  // namespace tandem
