#include "cli/command_sheet.h"

#include <string_view>

#include "base/format.h"
#include "cli/help_formatter.h"

namespace tandem {
namespace {

// CLI11 describes a set of values as "{a,b,c}" behind the type.
std::vector<std::string> WordsOf(const std::string& type) {
  std::vector<std::string> words;
  const std::size_t open = type.find('{');
  const std::size_t close = type.find('}', open);
  if (open == std::string::npos || close == std::string::npos) {
    return words;
  }
  for (std::size_t at = open + 1; at < close;) {
    const std::size_t comma = std::min(type.find(',', at), close);
    words.push_back(type.substr(at, comma - at));
    at = comma + 1;
  }
  return words;
}

OptionSheet DescribeOption(const CLI::Option& option) {
  OptionSheet sheet{.value = option.get_option_text(),
                    .text = option.get_description(),
                    .group = option.get_group() == "Options" ? "" : option.get_group()};
  if (option.get_positional()) {
    sheet.names = {option.get_name(true, false)};
    sheet.repeated = option.get_expected_max() >= CLI::detail::expected_max_vector_size;
    return sheet;
  }
  for (const std::string& name : option.get_lnames()) {
    sheet.names.push_back("--" + name);
  }
  for (const std::string& name : option.get_snames()) {
    sheet.names.push_back("-" + name);
  }
  const std::string type = option.get_type_name();
  if (sheet.value.empty() && option.get_type_size() != 0) {
    sheet.value = type.substr(0, type.find(':'));
  }
  sheet.words = WordsOf(type);
  if (sheet.value.starts_with("[=")) {
    sheet.value_optional = true;
    sheet.value = sheet.value.substr(2, sheet.value.size() - 3);
  }
  sheet.value.erase(0, sheet.value.find_first_not_of(' '));
  return sheet;
}

CommandSheet DescribeCommand(const CLI::App& tandem, const CLI::App& app) {
  CommandSheet sheet{
      .name = app.get_name(),
      .aliases = app.get_aliases(),
      .text = app.get_description(),
      .usage = HelpFormatter().make_usage(&app, Format("{} {}", tandem.get_name(), app.get_name())),
      .footer = app.get_footer()};
  constexpr std::string_view kBefore = "Usage: ";
  sheet.usage.erase(0, sheet.usage.find(kBefore) + kBefore.size());
  while (sheet.usage.ends_with('\n')) {
    sheet.usage.pop_back();
  }
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) {
      sheet.arguments.push_back(DescribeOption(*option));
    } else if (!option->get_group().empty()) {
      sheet.options.push_back(DescribeOption(*option));
    }
  }
  return sheet;
}

}  // namespace

std::vector<CommandSheet> DescribeCommands(const CLI::App& tandem) {
  std::vector<CommandSheet> sheets;
  for (const CLI::App* app : tandem.get_subcommands(std::function<bool(const CLI::App*)>())) {
    if (!app->get_group().empty()) {
      sheets.push_back(DescribeCommand(tandem, *app));
    }
  }
  return sheets;
}

}  // namespace tandem
