#include "cli/help_formatter.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/format.h"

namespace tandem {
namespace {

constexpr std::size_t kPageColumns = 80;
constexpr std::size_t kNameColumns = 30;
constexpr std::size_t kVerbColumns = 14;

// `text` broken at spaces into lines of at most `columns` characters.
std::string BreakLines(std::string_view text, std::size_t columns, std::string_view separator) {
  std::string out;
  std::size_t column = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    const std::size_t end = std::min(text.find(' ', i), text.size());
    const std::string_view word = text.substr(i, end - i);
    if (column > 0 && column + 1 + word.size() > columns) {
      out += separator;
      column = 0;
    }
    if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    i = end + 1;
  }
  return out;
}

}  // namespace

HelpFormatter::HelpFormatter() {
  column_width(kNameColumns);
}

std::string HelpFormatter::make_usage(const CLI::App* app, std::string name) const {
  if (app->get_parent() != nullptr) {
    return "\n" + CLI::Formatter::make_usage(app, std::move(name));
  }
  return Format("\nUsage: {} COMMAND [OPTIONS] ...\n", app->get_name());
}

std::string HelpFormatter::make_subcommand(const CLI::App* app) const {
  const std::string indent = "\n" + std::string(kVerbColumns, ' ');
  const std::string& name = app->get_name();
  return Format("  {:<{}}{}\n", name, kVerbColumns - 2,
                BreakLines(app->get_description(), kPageColumns - kVerbColumns, indent));
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  if (option->get_positional()) {
    return "";
  }
  if (!option->get_option_text().empty()) {
    return option->get_option_text();
  }
  return option->get_type_size() != 0 ? " " + option->get_type_name() : "";
}

std::string HelpFormatter::make_option_usage(const CLI::Option* option) const {
  if (!option->get_option_text().empty()) {
    return option->get_option_text();
  }
  const std::string name = option->get_name(true, false);
  const int most = option->get_expected_max();
  const std::string first = option->get_required() ? name : Format("[{}]", name);
  if (most >= CLI::detail::expected_max_vector_size) {
    return option->get_required() ? name + "..." : Format("[{}...]", name);
  }
  return most > 1 ? Format("{} [{}]", first, name) : first;
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  return BreakLines(option->get_description(), kPageColumns - kNameColumns, "\n");
}

}  // namespace tandem
