#include "runtime/sampling_options.h"

#include <cmath>
#include <limits>

#include "base/format.h"

namespace tandem {
namespace {

Status OutOfRange(const char* field, float value, const char* limit) {
  return Status(StatusCode::kInvalidArgument,
                Format("{} is {}, but must be {}", field, value, limit));
}

Status CheckShare(const char* field, float value) {
  return value >= 0 && value <= 1 ? OkStatus() : OutOfRange(field, value, "from 0 to 1");
}

}  // namespace

Status Validate(const SamplingOptions& options, std::size_t vocabulary) {
  if (!(options.temperature >= 0) || std::isinf(options.temperature)) {
    return OutOfRange("temperature", options.temperature, "a finite number of at least 0");
  }
  TANDEM_RETURN_IF_ERROR(CheckShare("top_p", options.top_p));
  TANDEM_RETURN_IF_ERROR(CheckShare("min_p", options.min_p));
  TANDEM_RETURN_IF_ERROR(CheckShare("typical_p", options.typical_p));
  if (!(options.repetition_penalty > 0) || std::isinf(options.repetition_penalty)) {
    return OutOfRange("repetition_penalty", options.repetition_penalty, "finite and above 0");
  }
  if (!std::isfinite(options.presence_penalty)) {
    return OutOfRange("presence_penalty", options.presence_penalty, "finite");
  }
  if (!std::isfinite(options.frequency_penalty)) {
    return OutOfRange("frequency_penalty", options.frequency_penalty, "finite");
  }
  for (const auto& [id, bias] : options.logit_bias) {
    if (id < 0 || static_cast<std::size_t>(id) >= vocabulary) {
      return Status(
          StatusCode::kInvalidArgument,
          Format("logit_bias names token {}, but ids go from 0 to {}", id, vocabulary - 1));
    }
    if (std::isnan(bias) || bias > std::numeric_limits<float>::max()) {
      return Status(StatusCode::kInvalidArgument,
                    Format("logit_bias of token {} is {}, but must be finite or -inf", id, bias));
    }
  }
  return OkStatus();
}

}  // namespace tandem
