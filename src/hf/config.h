#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/json.h"

namespace tandem::hf {

/// Rotary settings, whichever of the layouts they were found in.
struct RopeConfig {
  std::string type = "default";  // "default", "linear", "yarn", "longrope", ...
  std::optional<double> theta;
  std::optional<double> partial_rotary_factor;
  std::optional<double> factor;
  std::optional<std::uint64_t> original_max_position_embeddings;  // tokens
  std::optional<double> attention_factor;
  std::optional<double> extrapolation_factor;
  std::optional<double> beta_fast;
  std::optional<double> beta_slow;
  std::vector<double> short_factor;
  std::vector<double> long_factor;
  std::vector<double> mrope_section;
};

/// A config.json in the old or the new layout: fields of the text model may stand at the top or in
/// `text_config` (which wins), rotary fields at either place or inside `rope_parameters` or
/// `rope_scaling`. A value type, thread-safe for reading.
class Config {
 public:
  /// Reads `folder`/config.json.
  static Result<Config> Read(const std::filesystem::path& folder);
  /// `where` names the text in errors.
  static Result<Config> FromJson(Json root, std::string where);

  const std::string& where() const { return where_; }
  const Json& root() const { return root_; }

  /// The first of `architectures`, e.g. "Phi3ForCausalLM"; empty when there is none.
  const std::string& architecture() const { return architecture_; }
  /// The text model's dtype ("bfloat16"), from `dtype` or `torch_dtype`; empty when not said.
  const std::string& dtype() const { return dtype_; }
  const RopeConfig& rope() const { return rope_; }
  bool has_text_config() const;

  /// A field of the text model, or nullptr when it is absent or null.
  const Json* Find(std::string_view key) const;

  // Typed fields. Absent (or null) is NotFound for the first form and `otherwise` for the second;
  // another kind of value is Corrupt.
  Result<std::uint64_t> GetUint(std::string_view key) const;
  Result<std::uint64_t> GetUintOr(std::string_view key, std::uint64_t otherwise) const;
  Result<double> GetNumber(std::string_view key) const;
  Result<bool> GetBoolOr(std::string_view key, bool otherwise) const;
  Result<std::string> GetStringOr(std::string_view key, std::string_view otherwise) const;

 private:
  Config() = default;
  /// The object that holds `key`: text_config, else the root.
  const Json& Holder(std::string_view key) const;
  Status Missing(std::string_view key) const;
  Status ReadRope();
  Status ReadNestedRope(const Json& object, std::optional<std::string>& type);

  std::string where_;
  Json root_;
  std::string architecture_;
  std::string dtype_;
  RopeConfig rope_;
};

/// What generation_config.json recommends. Everything is optional.
struct GenerationConfig {
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<double> min_p;
  std::optional<std::uint64_t> top_k;
  std::optional<double> repetition_penalty;
  std::optional<bool> do_sample;
  /// Ours ("tandem_every_mode"): the settings hold with and without thinking, and what they leave
  /// out is neutral.
  std::optional<bool> every_mode;
  std::vector<std::uint32_t> eos_token_ids;  // one or several, as in the file
};

/// Reads `folder`/generation_config.json; an absent file is an empty result.
Result<GenerationConfig> ReadGenerationConfig(const std::filesystem::path& folder);

}  // namespace tandem::hf
