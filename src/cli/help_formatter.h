#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace tandem {

/// The look of every --help text: options with the name of their value, explanations wrapped to 80
/// columns. Without state.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter();

  // The names are CLI11's.
  // NOLINTBEGIN(readability-identifier-naming)
  std::string make_usage(const CLI::App* app, std::string name) const override;
  std::string make_subcommand(const CLI::App* app) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_usage(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
  // NOLINTEND(readability-identifier-naming)
};

}  // namespace tandem
