#include "hf/config.h"

#include <limits>
#include <utility>

#include "base/format.h"
#include "hf/fields.h"

namespace tandem::hf {
namespace {

constexpr std::string_view kTextConfig = "text_config";
// Rotary fields that stand inside an object or beside it, by layout.
constexpr std::string_view kTheta = "rope_theta";
constexpr std::string_view kPartial = "partial_rotary_factor";
constexpr std::string_view kOriginal = "original_max_position_embeddings";

/// Assigns the field to `target` when it is there; an earlier find stays.
template <typename T, typename Getter>
Status Fill(std::optional<T>& target, Getter getter, const Json& object, std::string_view key,
            std::string_view where) {
  TANDEM_ASSIGN_OR_RETURN(const std::optional<T> found, getter(object, key, where));
  if (found.has_value() && !target.has_value()) {
    target = found;
  }
  return OkStatus();
}

Result<std::vector<std::uint32_t>> ReadIds(const Json& object, std::string_view key,
                                           std::string_view where) {
  std::vector<std::uint32_t> ids;
  const Json* value = FindField(object, key);
  if (value == nullptr) {
    return ids;
  }
  const Json list = value->is_array() ? *value : Json::array({*value});
  for (const Json& item : list) {
    if (!item.is_number_unsigned() ||
        item.get<std::uint64_t>() > std::numeric_limits<std::int32_t>::max()) {
      return WrongField(where, key, item, "a token id");
    }
    ids.push_back(item.get<std::uint32_t>());
  }
  return ids;
}

}  // namespace

bool Config::has_text_config() const {
  const Json* text = FindField(root_, kTextConfig);
  return text != nullptr && text->is_object();
}

const Json& Config::Holder(std::string_view key) const {
  const Json* text = FindField(root_, kTextConfig);
  return text != nullptr && FindField(*text, key) != nullptr ? *text : root_;
}

const Json* Config::Find(std::string_view key) const {
  return FindField(Holder(key), key);
}

Status Config::Missing(std::string_view key) const {
  return Status(StatusCode::kNotFound, Format("{}: has no '{}'", where_, key));
}

Result<std::uint64_t> Config::GetUint(std::string_view key) const {
  TANDEM_ASSIGN_OR_RETURN(const auto value, UintField(Holder(key), key, where_));
  return value.has_value() ? Result<std::uint64_t>(*value) : Missing(key);
}

Result<std::uint64_t> Config::GetUintOr(std::string_view key, std::uint64_t otherwise) const {
  TANDEM_ASSIGN_OR_RETURN(const auto value, UintField(Holder(key), key, where_));
  return value.value_or(otherwise);
}

Result<double> Config::GetNumber(std::string_view key) const {
  TANDEM_ASSIGN_OR_RETURN(const auto value, NumberField(Holder(key), key, where_));
  return value.has_value() ? Result<double>(*value) : Missing(key);
}

Result<bool> Config::GetBoolOr(std::string_view key, bool otherwise) const {
  TANDEM_ASSIGN_OR_RETURN(const auto value, BoolField(Holder(key), key, where_));
  return value.value_or(otherwise);
}

Result<std::string> Config::GetStringOr(std::string_view key, std::string_view otherwise) const {
  TANDEM_ASSIGN_OR_RETURN(const auto value, StringField(Holder(key), key, where_));
  return value.value_or(std::string(otherwise));
}

Status Config::ReadNestedRope(const Json& object, std::optional<std::string>& type) {
  const auto number = [&](std::optional<double>& target, std::string_view key) {
    return Fill(target, NumberField, object, key, where_);
  };
  TANDEM_RETURN_IF_ERROR(Fill(type, StringField, object, "rope_type", where_));
  TANDEM_RETURN_IF_ERROR(Fill(type, StringField, object, "type", where_));
  TANDEM_RETURN_IF_ERROR(number(rope_.theta, kTheta));
  TANDEM_RETURN_IF_ERROR(number(rope_.partial_rotary_factor, kPartial));
  TANDEM_RETURN_IF_ERROR(number(rope_.factor, "factor"));
  TANDEM_RETURN_IF_ERROR(number(rope_.attention_factor, "attention_factor"));
  TANDEM_RETURN_IF_ERROR(number(rope_.extrapolation_factor, "extrapolation_factor"));
  TANDEM_RETURN_IF_ERROR(number(rope_.beta_fast, "beta_fast"));
  TANDEM_RETURN_IF_ERROR(number(rope_.beta_slow, "beta_slow"));
  TANDEM_RETURN_IF_ERROR(
      Fill(rope_.original_max_position_embeddings, UintField, object, kOriginal, where_));
  for (const auto& [key, target] : {std::pair("short_factor", &rope_.short_factor),
                                    std::pair("long_factor", &rope_.long_factor),
                                    std::pair("mrope_section", &rope_.mrope_section)}) {
    if (target->empty()) {
      TANDEM_ASSIGN_OR_RETURN(*target, NumbersField(object, key, where_));
    }
  }
  return OkStatus();
}

/// Most specific first: the nested objects, then the flat fields of the old layout.
Status Config::ReadRope() {
  std::optional<std::string> type;
  for (const std::string_view nested : {"rope_parameters", "rope_scaling"}) {
    if (const Json* object = Find(nested); object != nullptr) {
      TANDEM_RETURN_IF_ERROR(ReadNestedRope(*object, type));
    }
  }
  rope_.type = type.value_or("default");
  TANDEM_RETURN_IF_ERROR(Fill(rope_.theta, NumberField, Holder(kTheta), kTheta, where_));
  TANDEM_RETURN_IF_ERROR(
      Fill(rope_.partial_rotary_factor, NumberField, Holder(kPartial), kPartial, where_));
  return Fill(rope_.original_max_position_embeddings, UintField, Holder(kOriginal), kOriginal,
              where_);
}

Result<Config> Config::FromJson(Json root, std::string where) {
  Config config;
  config.root_ = std::move(root);
  config.where_ = std::move(where);
  if (!config.root_.is_object()) {
    return Status(StatusCode::kCorrupt, Format("{}: is no JSON object", config.where_));
  }
  const Json* names = FindField(config.root_, "architectures");
  if (names != nullptr && names->is_array() && !names->empty() && names->front().is_string()) {
    config.architecture_ = names->front().get<std::string>();
  }
  TANDEM_ASSIGN_OR_RETURN(const std::string old, config.GetStringOr("torch_dtype", ""));
  TANDEM_ASSIGN_OR_RETURN(config.dtype_, config.GetStringOr("dtype", old));
  TANDEM_RETURN_IF_ERROR(config.ReadRope());
  return config;
}

Result<Config> Config::Read(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  TANDEM_ASSIGN_OR_RETURN(Json root, ReadJsonFile(path));
  return FromJson(std::move(root), Printable(path.native(), 400));
}

Result<GenerationConfig> ReadGenerationConfig(const std::filesystem::path& folder) {
  constexpr std::string_view kName = "generation_config.json";
  GenerationConfig config;
  TANDEM_ASSIGN_OR_RETURN(const std::optional<Json> json, ReadOptionalJson(folder, kName));
  if (!json.has_value()) {
    return config;
  }
  const std::string where = Printable((folder / kName).native(), 400);
  TANDEM_ASSIGN_OR_RETURN(config.temperature, NumberField(*json, "temperature", where));
  TANDEM_ASSIGN_OR_RETURN(config.top_p, NumberField(*json, "top_p", where));
  TANDEM_ASSIGN_OR_RETURN(config.min_p, NumberField(*json, "min_p", where));
  TANDEM_ASSIGN_OR_RETURN(config.top_k, UintField(*json, "top_k", where));
  TANDEM_ASSIGN_OR_RETURN(config.repetition_penalty,
                          NumberField(*json, "repetition_penalty", where));
  TANDEM_ASSIGN_OR_RETURN(config.do_sample, BoolField(*json, "do_sample", where));
  TANDEM_ASSIGN_OR_RETURN(config.every_mode, BoolField(*json, "tandem_every_mode", where));
  TANDEM_ASSIGN_OR_RETURN(config.eos_token_ids, ReadIds(*json, "eos_token_id", where));
  return config;
}

}  // namespace tandem::hf
