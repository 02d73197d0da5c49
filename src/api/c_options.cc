#include "api/c_options.h"

#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "base/status.h"

namespace tandem {
namespace {

constexpr float kUnset = std::numeric_limits<float>::quiet_NaN();

// Writes the first `size` bytes of `defaults`, and zeros for what a newer caller has behind them.
template <typename T>
void Init(T* options, std::size_t size, T defaults) {
  if (options == nullptr || size < sizeof defaults.size) {
    return;
  }
  defaults.size = size;
  std::memset(static_cast<void*>(options), 0, size);
  std::memcpy(static_cast<void*>(options), &defaults, std::min(size, sizeof defaults));
}

void InitColumn(tandem_column* column, std::size_t size) {
  Init(column, size, tandem_column{});
}

std::optional<float> Value(float value) {
  return std::isnan(value) ? std::nullopt : std::optional(value);
}

using Pixels = std::optional<std::pair<std::uint64_t, std::uint64_t>>;

Result<Pixels> ReadPixels(std::uint64_t least, std::uint64_t most, const char* field) {
  if (least == 0 && most == 0) {
    return Pixels();
  }
  if (least == 0 || least > most) {
    return Status(StatusCode::kInvalidArgument,
                  Format("tandem_open_options: {}_min_pixels and {}_max_pixels are {} and {}; they "
                         "must be ascending and above 0, or both 0",
                         field, field, least, most));
  }
  return Pixels({least, most});
}

}  // namespace

Result<OpenOptions> ReadOpenOptions(const tandem_open_options* given) {
  TANDEM_ASSIGN_OR_RETURN(const tandem_open_options own,
                          ReadCStruct(given, "tandem_open_options", tandem_open_options_init));
  OpenOptions options;
  options.context_tokens = own.context_tokens;
  options.threads = own.threads;
  options.isa = own.isa == nullptr ? options.isa : own.isa;
  options.kv = own.kv == nullptr ? options.kv : own.kv;
  options.mmproj = own.mmproj == nullptr ? options.mmproj : own.mmproj;
  TANDEM_ASSIGN_OR_RETURN(options.image_pixels,
                          ReadPixels(own.image_min_pixels, own.image_max_pixels, "image"));
  TANDEM_ASSIGN_OR_RETURN(options.video_pixels,
                          ReadPixels(own.video_min_pixels, own.video_max_pixels, "video"));
  options.image_tokens = own.image_tokens;
  options.allow_url = own.allow_url != 0;
  options.allow_private_url = own.allow_private_url != 0;
  return options;
}

Result<Thinking> ReadThinking(std::int32_t thinking) {
  switch (thinking) {
    case TANDEM_THINKING_DEFAULT:
      return Thinking::kDefault;
    case TANDEM_THINKING_ON:
      return Thinking::kOn;
    case TANDEM_THINKING_OFF:
      return Thinking::kOff;
    default:
      return Status(StatusCode::kInvalidArgument,
                    Format("thinking is {}; it must be 0 (default), 1 (on) or 2 (off)", thinking));
  }
}

Result<GenerateOptions> ReadGenerateOptions(const tandem_generate_options* given) {
  TANDEM_ASSIGN_OR_RETURN(
      const tandem_generate_options own,
      ReadCStruct(given, "tandem_generate_options", tandem_generate_options_init));
  GenerateOptions options;
  Sampling& s = options.sampling;
  s.temperature = Value(own.temperature);
  if (own.top_k >= 0) {
    s.top_k = static_cast<std::size_t>(own.top_k);
  }
  s.top_p = Value(own.top_p);
  s.min_p = Value(own.min_p);
  s.typical_p = Value(own.typical_p);
  s.repetition_penalty = Value(own.repetition_penalty);
  s.presence_penalty = Value(own.presence_penalty);
  s.frequency_penalty = Value(own.frequency_penalty);
  if ((own.logit_bias == nullptr && own.logit_bias_count > 0) ||
      (own.stop == nullptr && own.stop_count > 0)) {
    return Status(StatusCode::kInvalidArgument,
                  "tandem_generate_options: a count without its array");
  }
  for (std::size_t i = 0; i < own.logit_bias_count; ++i) {
    s.logit_bias.emplace_back(own.logit_bias[i].id, own.logit_bias[i].bias);
  }
  for (std::size_t i = 0; i < own.stop_count; ++i) {
    if (own.stop[i] == nullptr) {
      return Status(StatusCode::kInvalidArgument,
                    Format("tandem_generate_options: stop[{}] is NULL", i));
    }
    options.stop.emplace_back(own.stop[i]);
  }
  if (own.has_seed != 0) {
    s.seed = own.seed;
  }
  TANDEM_ASSIGN_OR_RETURN(options.thinking, ReadThinking(own.thinking));
  options.max_tokens = own.max_tokens;
  options.format = own.format == nullptr ? "" : own.format;
  options.loop_check = own.no_loop_check == 0;
  if (own.think_budget >= 0) {
    options.think_budget = static_cast<std::size_t>(own.think_budget);
  }
  if (own.tools != nullptr) {
    TANDEM_ASSIGN_OR_RETURN(options.tools, ParseTools(own.tools));
  }
  return options;
}

Result<CompareColumn> ReadColumn(const tandem_column* given) {
  if (given == nullptr) {
    return Status(StatusCode::kInvalidArgument, "a column is NULL");
  }
  TANDEM_ASSIGN_OR_RETURN(const tandem_column own, ReadCStruct(given, "tandem_column", InitColumn));
  if (own.model == nullptr) {
    return Status(StatusCode::kInvalidArgument, "tandem_column: model is NULL");
  }
  CompareColumn column{.model = own.model,
                       .label = own.label == nullptr ? own.model : own.label,
                       .open = {},
                       .options = {}};
  TANDEM_ASSIGN_OR_RETURN(column.open, ReadOpenOptions(own.open));
  TANDEM_ASSIGN_OR_RETURN(column.options, ReadGenerateOptions(own.generate));
  return column;
}

}  // namespace tandem

void tandem_open_options_init(tandem_open_options* options, size_t size) {
  tandem::Init(options, size, tandem_open_options{});
}

void tandem_generate_options_init(tandem_generate_options* options, size_t size) {
  tandem_generate_options defaults{};
  defaults.temperature = tandem::kUnset;
  defaults.top_k = -1;
  defaults.top_p = tandem::kUnset;
  defaults.min_p = tandem::kUnset;
  defaults.typical_p = tandem::kUnset;
  defaults.repetition_penalty = tandem::kUnset;
  defaults.presence_penalty = tandem::kUnset;
  defaults.frequency_penalty = tandem::kUnset;
  defaults.max_tokens = tandem::GenerateOptions{}.max_tokens;
  defaults.think_budget = -1;
  tandem::Init(options, size, defaults);
}
