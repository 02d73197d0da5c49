#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/token_id.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"

namespace tandem {

struct SplitText {
  std::string reasoning;
  std::string answer;
};

/// Tells the reasoning of an answer from the answer proper while its tokens stream in. Think tags are recognised by
/// their token where the vocabulary has one, else as text at the start of the answer (Phi-4-mini-reasoning writes them
/// with ordinary tokens). The tags, one redundant opening tag, the newline after the opening tag and the blank lines
/// around the closing one are dropped; control tokens are hidden; text comes out in whole characters. Single-threaded;
/// the tokenizer must outlive it.
class StreamSplitter {
 public:
  StreamSplitter(const text::Tokenizer& tokenizer, bool starts_in_reasoning);

  SplitText Push(TokenId token);
  /// At the end: what was held back.
  SplitText Flush();

  std::size_t reasoning_tokens() const { return reasoning_tokens_; }
  std::size_t answer_tokens() const { return answer_tokens_; }

 private:
  void Route(std::string_view text, SplitText& out);
  void RouteReasoning(std::string_view text, SplitText& out);
  void RouteAnswer(std::string_view text, SplitText& out);
  void Open();
  void Close();

  const text::Tokenizer& tokenizer_;
  text::StreamDecoder decoder_;
  std::optional<TokenId> open_token_;
  std::optional<TokenId> close_token_;
  bool in_reasoning_;
  bool may_open_;            // nothing of the answer was seen yet
  bool skip_blank_ = true;   // at the start of a part: white space is dropped
  std::string held_;         // may be the beginning of a tag
  std::string blank_;        // white space of the reasoning that the closing tag would swallow
  std::size_t reasoning_tokens_ = 0;
  std::size_t answer_tokens_ = 0;
};

}  // namespace tandem
