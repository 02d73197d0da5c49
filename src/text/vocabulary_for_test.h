#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/byte_alphabet.h"
#include "text/tokenizer.h"

namespace tandem::text {

/// A vocabulary built by hand, for tests: the 256 bytes, then what is added. Must outlive the
/// tokenizers made from it.
class TestVocabulary {
 public:
  TestVocabulary() {
    // The order of all known vocabularies: first the bytes that stand for themselves.
    for (const bool own : {true, false}) {
      for (unsigned byte = 0; byte < 256; ++byte) {
        const bool stands_for_itself =
            (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
        if (stands_for_itself == own) {
          Add(ByteCharacter(static_cast<unsigned char>(byte)), TokenType::kNormal);
        }
      }
    }
  }

  TokenId Add(std::string text, TokenType type) {
    texts_.push_back(std::move(text));
    types_.push_back(static_cast<std::int32_t>(type));
    return static_cast<TokenId>(texts_.size() - 1);
  }

  /// Adds the merge "left right" and its product, if the vocabulary lacks that.
  void AddMerge(std::string_view left_and_right) {
    merges_.emplace_back(left_and_right);
    const std::size_t space = left_and_right.find(' ', 1);
    Add(std::string(left_and_right.substr(0, space)).append(left_and_right.substr(space + 1)),
        TokenType::kNormal);
  }

  /// Adds only the line to the merges.
  void AddMergeLine(std::string_view line) { merges_.emplace_back(line); }

  std::size_t size() const { return texts_.size(); }

  Vocabulary View(PreTokenizer pre) {
    token_views_.assign(texts_.begin(), texts_.end());
    merge_views_.assign(merges_.begin(), merges_.end());
    return {.tokens = token_views_, .types = types_, .merges = merge_views_, .pre = pre};
  }

 private:
  std::vector<std::string> texts_;
  std::vector<std::int32_t> types_;
  std::vector<std::string> merges_;
  std::vector<std::string_view> token_views_;
  std::vector<std::string_view> merge_views_;
};

}  // namespace tandem::text
