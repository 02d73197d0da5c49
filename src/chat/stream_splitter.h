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

/// Tells the reasoning of an answer from the answer proper while its tokens stream in. Think tags
/// are recognised by their token where the vocabulary has one, anywhere; else as text, the opening
/// one only at the start (Phi-4-mini-reasoning writes them with ordinary tokens). Not shown are the
/// tags, one redundant opening tag, white space at either end of the reasoning, blank lines between
/// it and the answer, and control tokens. Text comes out in whole characters. Single-threaded; the
/// tokenizer must outlive it.
class StreamSplitter {
 public:
  StreamSplitter(const text::Tokenizer& tokenizer, bool starts_in_reasoning);

  SplitText Push(TokenId token);
  /// A token that is no text and ends the reasoning (a mark in front of a call of a tool), counted
  /// with the answer: what was held back.
  SplitText PushMark();
  /// At the end: what was held back.
  SplitText Flush();

  bool in_reasoning() const { return in_reasoning_; }
  /// Whether nothing is held back that the next tokens belong to: half a character or tag.
  bool settled() const { return held_.empty() && decoder_.between_characters(); }

  /// Tokens pushed so far, tags with the reasoning, without control tokens.
  std::size_t reasoning_tokens() const { return reasoning_tokens_; }
  std::size_t answer_tokens() const { return answer_tokens_; }

 private:
  bool IsTag(TokenId token) const;
  void OnTag(TokenId token, SplitText& out);
  void CountPending(bool reasoning);
  void Route(std::string_view text, SplitText& out);
  bool SettleStart();
  void RouteReasoning(std::string_view text, SplitText& out);
  void RouteAnswer(std::string_view text, SplitText& out);
  void Open();
  void Close();

  const text::Tokenizer& tokenizer_;
  text::StreamDecoder decoder_;
  std::optional<TokenId> open_token_;
  std::optional<TokenId> close_token_;
  bool in_reasoning_;
  bool at_start_ = true;     // only white space so far: an opening tag may follow
  bool skip_blank_ = false;  // at the start of a part whose leading white space is not shown
  std::string held_;         // may be the beginning of a tag, or white space at the start
  std::string blank_;        // white space that the end of its part would swallow
  std::size_t pending_ = 0;  // tokens whose part is not known yet
  std::size_t reasoning_tokens_ = 0;
  std::size_t answer_tokens_ = 0;
};

}  // namespace tandem
