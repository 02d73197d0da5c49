#include "chat/sampling_defaults.h"

#include <string_view>

#include "base/format.h"

namespace tandem {
namespace {

struct Recommendation {
  std::string_view architecture;
  bool thinking;
  float temperature;
  std::size_t top_k;
  float top_p;
  float presence_penalty;
};

// Model cards: Qwen3.5-4B "general" rows; Phi-4-mini-instruct's examples are greedy.
constexpr Recommendation kRecommendations[] = {
    {"qwen35", true, 1.0F, 20, 0.95F, 1.5F},
    {"qwen35", false, 0.7F, 20, 0.8F, 1.5F},
    {"phi3", true, 0.8F, 0, 0.95F, 0},
    {"phi3", false, 0, 0, 1, 0},
};

struct FileKey {
  std::string_view key;
  float SamplingOptions::*field;
};

// The names llama.cpp's converter gives to what generation_config.json holds.
constexpr FileKey kFileKeys[] = {
    {"general.sampling.temp", &SamplingOptions::temperature},
    {"general.sampling.top_p", &SamplingOptions::top_p},
    {"general.sampling.min_p", &SamplingOptions::min_p},
    {"general.sampling.typ_p", &SamplingOptions::typical_p},
    {"general.sampling.penalty_repeat", &SamplingOptions::repetition_penalty},
    {"general.sampling.penalty_present", &SamplingOptions::presence_penalty},
    {"general.sampling.penalty_freq", &SamplingOptions::frequency_penalty},
};

Status ReadFileKeys(const gguf::File& file, SamplingOptions& options) {
  for (const FileKey& row : kFileKeys) {
    if (file.Has(row.key)) {
      TANDEM_ASSIGN_OR_RETURN(options.*row.field, file.GetFloat(row.key));
    }
  }
  if (file.Has("general.sampling.top_k")) {
    TANDEM_ASSIGN_OR_RETURN(const std::int64_t top_k, file.GetInt("general.sampling.top_k"));
    options.top_k = top_k > 0 ? static_cast<std::size_t>(top_k) : 0;
  }
  return OkStatus();
}

}  // namespace

Result<SamplingOptions> DefaultSampling(const gguf::File& file, bool thinking,
                                        bool thinks_by_default) {
  TANDEM_ASSIGN_OR_RETURN(const std::string_view architecture,
                          file.GetStringOr("general.architecture", ""));
  // A file of ours may say that its settings are all there is to say, in both modes.
  TANDEM_ASSIGN_OR_RETURN(const bool every_mode,
                          file.GetBoolOr("tandem.sampling.every_mode", false));
  SamplingOptions options;
  for (const Recommendation& row : kRecommendations) {
    if (!every_mode && row.architecture == architecture && row.thinking == thinking) {
      options.temperature = row.temperature;
      options.top_k = row.top_k;
      options.top_p = row.top_p;
      options.presence_penalty = row.presence_penalty;
    }
  }
  if (every_mode || thinking == thinks_by_default) {
    TANDEM_RETURN_IF_ERROR(ReadFileKeys(file, options));
  }
  const Status valid = Validate(options);
  if (!valid.ok()) {
    return Status(StatusCode::kCorrupt,
                  Format("{}: general.sampling: {}", file.name(), valid.message()));
  }
  return options;
}

void Apply(const SamplingOverrides& overrides, SamplingOptions& options) {
  const auto set = [](const auto& from, auto& to) {
    if (from.has_value()) {
      to = *from;
    }
  };
  set(overrides.temperature, options.temperature);
  set(overrides.top_k, options.top_k);
  set(overrides.top_p, options.top_p);
  set(overrides.min_p, options.min_p);
  set(overrides.typical_p, options.typical_p);
  set(overrides.repetition_penalty, options.repetition_penalty);
  set(overrides.presence_penalty, options.presence_penalty);
  set(overrides.frequency_penalty, options.frequency_penalty);
  set(overrides.seed, options.seed);
  options.logit_bias = overrides.logit_bias;
}

}  // namespace tandem
