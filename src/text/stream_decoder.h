#pragma once

#include <string>

#include "base/token_id.h"
#include "text/tokenizer.h"

namespace tandem::text {

/// Turns the tokens of one sequence into text as they come, whole characters at a time. Bytes that
/// cannot become a character are replaced by U+FFFD, one per maximal subpart (Unicode chapter 3,
/// table 3-8). Every token gives its literal text: hiding control tokens is the caller's business.
/// Single-threaded; the tokenizer must outlive it.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  /// The characters that `id` completes, perhaps none. Valid UTF-8.
  std::string Push(TokenId id);

  /// Whether the bytes so far end between characters.
  bool between_characters() const { return held_.empty(); }

  /// At the end of generation: U+FFFD for an incomplete character that is still held, or nothing.
  /// The decoder is then as new.
  std::string Flush();

 private:
  const Tokenizer* tokenizer_;
  std::string held_;  // at most three bytes: the beginning of a character
};

}  // namespace tandem::text
