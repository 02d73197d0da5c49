#include "convert/architecture.h"

#include <limits>

#include "base/format.h"
#include "hf/fields.h"

namespace tandem::convert {
namespace {

struct Row {
  std::string_view architecture;
  PlanFunction plan;
  PlanFunction vision;  // null: cannot see
};

constexpr Row kArchitectures[] = {
    {"Qwen3_5ForConditionalGeneration", &PlanQwen35, &PlanQwen35Vision},
    {"Qwen3_5ForCausalLM", &PlanQwen35, nullptr},
    {"Phi3ForCausalLM", &PlanPhi3, nullptr},
};

}  // namespace

Result<ArchitecturePlan> PlanCheckpoint(const hf::Config& config, const hf::Checkpoint& checkpoint,
                                        std::uint32_t file_type) {
  std::string known;
  for (const Row& row : kArchitectures) {
    if (row.architecture == config.architecture()) {
      return row.plan(config, checkpoint, file_type);
    }
    known += Format("{}{}", known.empty() ? "" : ", ", row.architecture);
  }
  return Status(StatusCode::kUnsupported,
                Format("{}: architecture '{}' cannot be converted; known: {}", config.where(),
                       Printable(config.architecture()), known));
}

Result<ArchitecturePlan> PlanVision(const hf::Config& config, const hf::Checkpoint& checkpoint,
                                    std::uint32_t file_type) {
  for (const Row& row : kArchitectures) {
    if (row.architecture == config.architecture() && row.vision != nullptr) {
      return row.vision(config, checkpoint, file_type);
    }
  }
  return Status(StatusCode::kUnsupported,
                Format("{}: architecture '{}' has no vision tower that can be converted",
                       config.where(), Printable(config.architecture())));
}

Status RequireFlag(const hf::Config& config, std::string_view key, bool otherwise, bool needed) {
  TANDEM_ASSIGN_OR_RETURN(const bool value, config.GetBoolOr(key, otherwise));
  return value == needed
             ? OkStatus()
             : Status(StatusCode::kUnsupported, Format("{}: '{}' is {}, which cannot be converted",
                                                       config.where(), key, value));
}

Status RequireSilu(const hf::Config& config) {
  TANDEM_ASSIGN_OR_RETURN(const std::string activation, config.GetStringOr("hidden_act", "silu"));
  return activation == "silu" ? OkStatus()
                              : Status(StatusCode::kUnsupported,
                                       Format("{}: 'hidden_act' is '{}', which cannot be converted",
                                              config.where(), Printable(activation)));
}

Result<std::uint32_t> RequireCount(const hf::Config& config, std::string_view key) {
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t value, config.GetUint(key));
  if (value == 0 || value > std::numeric_limits<std::int32_t>::max()) {
    return Status(StatusCode::kCorrupt,
                  Format("{}: '{}' is {}; 1 to 2^31 - 1 is possible", config.where(), key, value));
  }
  return static_cast<std::uint32_t>(value);
}

Result<bool> IsTied(const hf::Config& config, const hf::Checkpoint& checkpoint) {
  constexpr std::string_view kKey = "tie_word_embeddings";
  TANDEM_ASSIGN_OR_RETURN(const auto top, hf::BoolField(config.root(), kKey, config.where()));
  TANDEM_ASSIGN_OR_RETURN(const bool text, config.GetBoolOr(kKey, false));
  const bool tied = top.value_or(false) || text;
  if (!tied && checkpoint.Find("lm_head.weight") == nullptr) {
    return Status(StatusCode::kCorrupt,
                  Format("the checkpoint has no tensor 'lm_head.weight' and {} does not say {}",
                         config.where(), kKey));
  }
  return tied;
}

}  // namespace tandem::convert
