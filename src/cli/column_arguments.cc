#include "cli/column_arguments.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/format.h"
#include "cli/model_options.h"
#include "cli/prompt_media.h"
#include "store/installed.h"
#include "store/model_name.h"

namespace tandem {
namespace {

bool IsFile(const std::string& name) {
  std::error_code error;
  return std::filesystem::is_regular_file(name, error);
}

bool IsModelName(const std::string& name) {
  const std::vector<std::string> names = BuiltinModels();
  if (std::find(names.begin(), names.end(), name) != names.end() || name.ends_with(".gguf") ||
      (IsFile(name) && !IsMediaName(name))) {
    return true;
  }
  const Result<ModelName> parsed = ParseModelName(name);
  if (!parsed.ok()) {
    return false;
  }
  switch (parsed->kind) {
    case ModelName::Kind::kCatalogue:
    case ModelName::Kind::kHub:
    case ModelName::Kind::kOllama:
    case ModelName::Kind::kModelScope:
      return true;
    case ModelName::Kind::kOther:  // a word, unless `tandem cp` made it a name
      return FindInstalled(*parsed).ok();
    default:
      return false;
  }
}

std::vector<std::string> SplitSettings(std::string_view text) {
  std::vector<std::string> settings;
  while (true) {
    const std::size_t comma = text.find(',');
    settings.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) {
      return settings;
    }
    text.remove_prefix(comma + 1);
  }
}

struct NameAndSettings {
  std::string name;
  std::vector<std::string> settings;
};

// A file whose name contains @ is a file; otherwise settings follow the last @.
NameAndSettings Split(const std::string& argument) {
  const std::size_t at = argument.rfind('@');
  if (at == std::string::npos || at == 0 || IsFile(argument)) {
    return {.name = argument, .settings = {}};
  }
  NameAndSettings split{.name = argument.substr(0, at),
                        .settings = SplitSettings(std::string_view(argument).substr(at + 1))};
  const bool any = std::any_of(split.settings.begin(), split.settings.end(), LooksLikeSetting);
  if (!any && !IsModelName(split.name)) {
    return {.name = argument, .settings = {}};
  }
  return split;
}

// A path is shown by the name of its file.
std::string LabelOf(const NameAndSettings& split) {
  std::string label = split.name;
  if (label.ends_with(".gguf")) {
    label = std::filesystem::path(label).stem().string();
  }
  for (std::size_t i = 0; i < split.settings.size(); ++i) {
    label += (i == 0 ? "@" : ",") + split.settings[i];
  }
  return Printable(label, 200);
}

}  // namespace

bool IsModelArgument(const std::string& argument) {
  // A sentence with an @ in it is no model.
  const NameAndSettings split = Split(argument);
  return IsModelName(split.name) ||
         (!split.settings.empty() && split.name.find(' ') == std::string::npos);
}

Result<CompareColumn> ParseColumn(const std::string& argument, const CompareColumn& common) {
  const NameAndSettings split = Split(argument);
  CompareColumn column = common;
  column.model = split.name;
  column.label = LabelOf(split);
  for (const std::string& setting : split.settings) {
    const Status status = ApplySetting(setting, column.open, column.options);
    if (!status.ok()) {
      return Status(status.code(), Format("{}: {}", Printable(argument), status.message()));
    }
  }
  return column;
}

void MakeLabelsUnique(std::vector<CompareColumn>& columns) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::size_t same = 1;
    for (std::size_t j = 0; j < i; ++j) {
      if (columns[j].label == columns[i].label ||
          columns[j].label == Format("{} ({})", columns[i].label, same)) {
        ++same;
      }
    }
    if (same > 1) {
      columns[i].label += Format(" ({})", same);
    }
  }
}

}  // namespace tandem
