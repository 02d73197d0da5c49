#include "chat/stream_splitter.h"

#include <algorithm>
#include <utility>

namespace tandem {
namespace {

constexpr std::string_view kOpen = "<think>";
constexpr std::string_view kClose = "</think>";
constexpr std::string_view kBlank = " \t\r\n";

// The length of the longest end of `text` that begins `tag`.
std::size_t PartialTag(std::string_view text, std::string_view tag) {
  for (std::size_t n = std::min(text.size(), tag.size() - 1); n > 0; --n) {
    if (text.substr(text.size() - n) == tag.substr(0, n)) {
      return n;
    }
  }
  return 0;
}

std::optional<TokenId> AddedToken(const text::Tokenizer& tokenizer, std::string_view text) {
  const std::optional<TokenId> id = tokenizer.Find(text);
  const bool added = id.has_value() && (tokenizer.IsControl(*id) || tokenizer.IsUserDefined(*id));
  return added ? id : std::nullopt;
}

}  // namespace

StreamSplitter::StreamSplitter(const text::Tokenizer& tokenizer, bool starts_in_reasoning)
    : tokenizer_(tokenizer),
      decoder_(tokenizer),
      open_token_(AddedToken(tokenizer, kOpen)),
      close_token_(AddedToken(tokenizer, kClose)),
      in_reasoning_(starts_in_reasoning),
      may_open_(true) {}

void StreamSplitter::Open() {
  in_reasoning_ = true;
  may_open_ = false;
  skip_blank_ = true;
}

void StreamSplitter::Close() {
  in_reasoning_ = false;
  may_open_ = false;
  skip_blank_ = true;
  blank_.clear();
}

SplitText StreamSplitter::Push(TokenId token) {
  SplitText out;
  const bool tag = (open_token_ == token && may_open_) || (close_token_ == token && in_reasoning_);
  (in_reasoning_ ? reasoning_tokens_ : answer_tokens_) += 1;
  if (tag) {
    Route(decoder_.Flush(), out);
    if (in_reasoning_) {
      RouteReasoning(std::exchange(held_, {}), out);
    }
    if (token == close_token_) {
      Close();
    } else {
      Open();
    }
    return out;
  }
  if (tokenizer_.IsControl(token)) {
    return out;
  }
  Route(decoder_.Push(token), out);
  return out;
}

// Text tags count only where the vocabulary has no token for them: spelt out beside one they are content.
void StreamSplitter::Route(std::string_view text, SplitText& out) {
  if (text.empty()) {
    return;
  }
  held_ += text;
  const bool watch = in_reasoning_ ? !close_token_.has_value() : may_open_ && !open_token_.has_value();
  std::string ready;
  if (!watch) {
    ready = std::exchange(held_, {});
  } else if (in_reasoning_) {
    const std::size_t at = held_.find(kClose);
    if (at != std::string::npos) {
      RouteReasoning(held_.substr(0, at), out);
      const std::string rest = held_.substr(at + kClose.size());
      held_.clear();
      Close();
      Route(rest, out);
      return;
    }
    const std::size_t keep = PartialTag(held_, kClose);
    ready = held_.substr(0, held_.size() - keep);
    held_.erase(0, ready.size());
  } else {
    const std::size_t begin = std::min(held_.size(), held_.find_first_not_of(kBlank));
    const std::string_view start = std::string_view(held_).substr(begin);
    if (start.substr(0, kOpen.size()) == kOpen) {
      const std::string rest(start.substr(kOpen.size()));
      held_.clear();
      Open();
      Route(rest, out);
      return;
    }
    if (start == kOpen.substr(0, start.size())) {
      return;  // may still become the tag
    }
    ready = std::exchange(held_, {});
  }
  if (in_reasoning_) {
    RouteReasoning(ready, out);
  } else {
    RouteAnswer(ready, out);
  }
}

void StreamSplitter::RouteReasoning(std::string_view text, SplitText& out) {
  if (skip_blank_) {
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(kBlank)));
    skip_blank_ = text.empty();
  }
  if (text.empty()) {
    return;
  }
  may_open_ = false;
  const std::size_t last = text.find_last_not_of(kBlank);
  if (last == std::string_view::npos) {
    blank_ += text;
    return;
  }
  out.reasoning += std::exchange(blank_, {});
  out.reasoning += text.substr(0, last + 1);
  blank_ = text.substr(last + 1);
}

void StreamSplitter::RouteAnswer(std::string_view text, SplitText& out) {
  if (skip_blank_) {
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(kBlank)));
    skip_blank_ = text.empty();
  }
  if (!text.empty()) {
    may_open_ = false;
  }
  out.answer += text;
}

SplitText StreamSplitter::Flush() {
  SplitText out;
  Route(decoder_.Flush(), out);
  const std::string rest = std::exchange(held_, {});
  if (in_reasoning_) {
    RouteReasoning(rest, out);
  } else {
    RouteAnswer(rest, out);
  }
  return out;
}

}  // namespace tandem
