#include "chat/stream_splitter.h"

#include <algorithm>
#include <utility>

#include "base/trim.h"
#include "chat/stream_tags.h"

namespace tandem {
StreamSplitter::StreamSplitter(const text::Tokenizer& tokenizer, bool starts_in_reasoning)
    : tokenizer_(tokenizer),
      decoder_(tokenizer),
      open_token_(AddedToken(tokenizer, kThinkOpen)),
      close_token_(AddedToken(tokenizer, kThinkClose)),
      in_reasoning_(starts_in_reasoning),
      skip_blank_(starts_in_reasoning) {}

void StreamSplitter::Open() {
  in_reasoning_ = true;
  at_start_ = false;
  skip_blank_ = true;
  blank_.clear();
}

void StreamSplitter::Close() {
  in_reasoning_ = false;
  at_start_ = false;
  skip_blank_ = true;
  blank_.clear();
}

// A second opening tag within the reasoning is content.
bool StreamSplitter::IsTag(TokenId token) const {
  return close_token_ == token || (open_token_ == token && (!in_reasoning_ || at_start_));
}

void StreamSplitter::OnTag(TokenId token, SplitText& out) {
  Route(decoder_.Flush(), out);
  const std::string rest = std::exchange(held_, {});
  if (token == open_token_) {
    Open();
    CountPending(true);
    return;
  }
  CountPending(in_reasoning_);
  if (in_reasoning_) {
    RouteReasoning(rest, out);
    Close();
  }
}

SplitText StreamSplitter::Push(TokenId token) {
  SplitText out;
  if (tokenizer_.IsControl(token) && !IsTag(token)) {
    return out;
  }
  ++pending_;
  if (IsTag(token)) {
    OnTag(token, out);
    return out;
  }
  const bool was_reasoning = in_reasoning_;
  Route(decoder_.Push(token), out);
  if (!at_start_ || in_reasoning_) {
    CountPending(was_reasoning || in_reasoning_);
  }
  return out;
}

void StreamSplitter::CountPending(bool reasoning) {
  (reasoning ? reasoning_tokens_ : answer_tokens_) += std::exchange(pending_, 0);
}

// At the start: takes an opening tag out of held_. False while it cannot be told whether one comes.
bool StreamSplitter::SettleStart() {
  const std::size_t begin = held_.find_first_not_of(kWhiteSpace);
  if (begin == std::string::npos) {
    return false;
  }
  if (!open_token_.has_value()) {
    const std::string_view start = std::string_view(held_).substr(begin);
    if (start.substr(0, kThinkOpen.size()) == kThinkOpen) {
      held_.erase(0, begin + kThinkOpen.size());
      Open();
      return true;
    }
    if (start == kThinkOpen.substr(0, start.size())) {
      return false;
    }
  }
  at_start_ = false;
  return true;
}

// Text tags count only where the vocabulary has no token for them: spelt out beside one they are
// content.
void StreamSplitter::Route(std::string_view text, SplitText& out) {
  held_ += text;
  if (held_.empty() || (at_start_ && !SettleStart())) {
    return;
  }
  if (!in_reasoning_) {
    RouteAnswer(std::exchange(held_, {}), out);
    return;
  }
  if (close_token_.has_value()) {
    RouteReasoning(std::exchange(held_, {}), out);
    return;
  }
  const std::size_t close = held_.find(kThinkClose);
  if (close != std::string::npos) {
    RouteReasoning(held_.substr(0, close), out);
    const std::string rest = held_.substr(close + kThinkClose.size());
    held_.clear();
    Close();
    RouteAnswer(rest, out);
    return;
  }
  const std::size_t ready = held_.size() - PartialTag(held_, kThinkClose);
  RouteReasoning(held_.substr(0, ready), out);
  held_.erase(0, ready);
}

void StreamSplitter::RouteReasoning(std::string_view text, SplitText& out) {
  if (skip_blank_) {
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(kWhiteSpace)));
    skip_blank_ = text.empty();
  }
  const std::size_t last = text.find_last_not_of(kWhiteSpace);
  if (last == std::string_view::npos) {
    blank_ += text;
    return;
  }
  out.reasoning += std::exchange(blank_, {});
  out.reasoning += text.substr(0, last + 1);
  blank_ = text.substr(last + 1);
}

// Behind a closing tag whole blank lines are dropped; the indentation of the first line stays.
void StreamSplitter::RouteAnswer(std::string_view text, SplitText& out) {
  if (!skip_blank_) {
    out.answer += text;
    return;
  }
  blank_ += text;
  const std::size_t begin = blank_.find_first_not_of(kWhiteSpace);
  if (begin == std::string::npos) {
    return;
  }
  const std::size_t line_end = blank_.substr(0, begin).find_last_of('\n');
  out.answer += blank_.substr(line_end == std::string::npos ? 0 : line_end + 1);
  blank_.clear();
  skip_blank_ = false;
}

SplitText StreamSplitter::PushMark() {
  SplitText out = Flush();
  if (in_reasoning_) {
    Close();
  }
  at_start_ = false;
  skip_blank_ = false;
  blank_.clear();
  ++pending_;
  CountPending(false);
  return out;
}

SplitText StreamSplitter::Flush() {
  SplitText out;
  Route(decoder_.Flush(), out);
  CountPending(in_reasoning_);
  const std::string rest = std::exchange(held_, {});
  if (in_reasoning_) {
    RouteReasoning(rest, out);
  } else {
    RouteAnswer(rest, out);
  }
  return out;
}

}  // namespace tandem
