#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/token_id.h"

namespace tandem {

/// How the next token is chosen. The filters work in this order, each on what the ones before it
/// left over: logit bias, repetition penalty, frequency and presence penalties, temperature, top-k,
/// typical-p, top-p, min-p. At least one token always remains. Any value of `seed` is valid.
struct SamplingOptions {
  float temperature = 1;  // 0: the most probable token after bias and penalties, no filters
  std::size_t top_k = 0;  // 0: all
  float top_p = 1;        // the fewest tokens, most probable first, with at least this mass
  float min_p = 0;        // drops what is less probable than this share of the most probable
  float typical_p = 1;    // as top_p, but the most typical first (arXiv:2202.00666)
  // Prompt and generated tokens, once each: positive logits are divided by it, others multiplied
  // (arXiv:1909.05858, section 4.1; negative logits as vLLM).
  float repetition_penalty = 1;
  float presence_penalty = 0;   // taken from the logit of each token generated before
  float frequency_penalty = 0;  // the same, times the number of times it was
  std::vector<std::pair<TokenId, float>> logit_bias = {};  // added; -infinity forbids the token
  std::uint64_t seed = 0;
};

/// InvalidArgument that names the field, its value and the limit; ids of the bias must be below
/// `vocabulary`.
Status Validate(const SamplingOptions& options, std::size_t vocabulary = std::size_t{1} << 31);

}  // namespace tandem
