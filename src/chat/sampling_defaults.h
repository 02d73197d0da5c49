#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/status.h"
#include "gguf/reader.h"
#include "runtime/sampling_options.h"

namespace tandem {

/// What a caller sets; everything else keeps its recommended value.
struct SamplingOverrides {
  std::optional<float> temperature;
  std::optional<std::size_t> top_k;
  std::optional<float> top_p;
  std::optional<float> min_p;
  std::optional<float> typical_p;
  std::optional<float> repetition_penalty;
  std::optional<float> presence_penalty;
  std::optional<float> frequency_penalty;
  std::vector<std::pair<TokenId, float>> logit_bias;
  std::optional<std::uint64_t> seed;
};

/// The recommended settings of the file's family for an answer with or without thinking
/// (models.md 8.1, 8.2), replaced by the file's general.sampling.* where the answer is in the
/// file's own default mode.
Result<SamplingOptions> DefaultSampling(const gguf::File& file, bool thinking,
                                        bool thinks_by_default);

/// `options` with what the caller set.
void Apply(const SamplingOverrides& overrides, SamplingOptions& options);

}  // namespace tandem
