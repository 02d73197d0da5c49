#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/token_id.h"

namespace tandem {

/// A text and the ids that the published tokenizer gives for it.
struct IdVector {
  std::string text;
  bool special = false;  // special tokens in the text count as such
  std::vector<TokenId> ids;
};

/// The vectors of one published vocabulary.
struct IdVectors {
  std::string architecture;
  std::size_t vocabulary = 0;  // tokens; a file with another number has another tokenizer
  std::vector<IdVector> vectors;
};

/// A question and words of which a right answer has one, in lower case.
struct SanityPrompt {
  std::string prompt;
  std::vector<std::string> words;
};

/// assets/check.json, which is part of the program.
struct CheckData {
  std::string text;  // prose of ours, for perplexity
  std::vector<SanityPrompt> prompts;
  std::vector<IdVectors> ids;

  static Result<CheckData> BuiltIn();
};

}  // namespace tandem
