#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/tandem.h"

#include "base/status.h"

namespace CLI {
class App;
}

namespace tandem {

/// The options of a command line that say how a model is opened and how it answers.
struct ModelOptions {
  OpenOptions open;
  GenerateOptions generate;
  std::vector<std::string> logit_bias;  // ID=BIAS, as given
  std::optional<std::string> think;     // as given
  std::string format;                   // "json" or a file, as given; see answer_format_option.h
  std::vector<std::string> images;      // to be shown before the first prompt
  std::vector<std::string> videos;
  std::string image_pixels;  // MIN:MAX, as given
  std::string video_pixels;
  std::string image_tokens = "1024";  // a number, or "model"
  std::string tools_path;             // of definitions; empty: none
};

/// Adds --ctx, --threads, --isa, --kv, --seed, --max-tokens, --think, --stop, --format,
/// --no-loop-check, and all options of pictures and of sampling. `options` must outlive the parser.
void AddModelOptions(CLI::App& app, ModelOptions& options);

/// For the parser's check(): an error text for a number with a minus sign, which the parser would
/// wrap around where it reads an unsigned one.
std::string RefuseNegative(const std::string& text);

/// What the parser cannot do: reads --think, the ID=BIAS pairs and the limits of pictures.
/// InvalidArgument names the bad one.
Status FinishModelOptions(ModelOptions& options);

/// Definitions of tools in JSON; errors of ParseTools, with the name of the text in front.
Result<std::string> ToolsIn(std::string_view json, std::string_view where);

/// Reads definitions of tools. Errors of ReadFile and ParseTools, which name the file.
Result<std::string> ReadToolsFile(const std::string& path);

/// Applies "NAME=VALUE", "think" or "nothink" to the options; the names are those of the long
/// options, without the dashes. InvalidArgument, with what could be meant, for anything else.
Status ApplySetting(std::string_view setting, OpenOptions& open, GenerateOptions& generate);

/// What differs from the defaults, in the form that ApplySetting takes.
std::vector<std::string> SettingsOf(const OpenOptions& open, const GenerateOptions& generate);

/// The names of all settings with a value.
std::vector<std::string> SettingNames();

/// Whether `setting` has the form of one: a known name, or any NAME=VALUE.
bool LooksLikeSetting(std::string_view setting);

}  // namespace tandem
