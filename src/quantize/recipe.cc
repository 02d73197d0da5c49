#include "quantize/recipe.h"

#include <utility>

#include "base/format.h"
#include "io/file.h"
#include "quant/formats.h"

namespace tandem::quantize {
namespace {

constexpr std::string_view kBlanks = " \t\r";
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 20;

std::string_view Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

Status Bad(std::string_view file, std::size_t line, std::string text) {
  return Status(StatusCode::kInvalidArgument,
                Format("{}:{}: {}", Printable(file, 400), line, text));
}

Result<Recipe::Rule> ParseRule(std::string_view text, std::string_view file, std::size_t line) {
  const std::size_t gap = text.find_first_of(kBlanks);
  const std::string_view type =
      gap == std::string_view::npos ? std::string_view() : Trimmed(text.substr(gap));
  if (type.empty() || type.find_first_of(kBlanks) != std::string_view::npos) {
    return Bad(file, line, Format("'{}' is not PATTERN TYPE", Printable(text)));
  }
  Recipe::Rule rule{.pattern = std::string(text.substr(0, gap)), .type = {}, .line = line};
  if (type == "keep") {
    return rule;
  }
  const quant::Format* format = quant::FindFormat(type);
  if (format == nullptr || format->encode == nullptr) {
    return Bad(file, line,
               Format("'{}' is no type that can be made; 'keep' and those that 'tandem quantize "
                      "--help' lists are",
                      Printable(type)));
  }
  rule.type = format->type;
  return rule;
}

}  // namespace

bool MatchesPattern(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t]) && pattern[p] != '*') {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;  // the star takes one more
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') {
    ++p;
  }
  return p == pattern.size();
}

Result<Recipe> Recipe::Read(const std::filesystem::path& path) {
  TANDEM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMostBytes));
  return Parse(text, path.native());
}

Result<Recipe> Recipe::Parse(std::string_view text, std::string_view name) {
  Recipe recipe;
  recipe.name_ = name;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = text.find('\n');
    const std::string_view whole = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::string_view rule = Trimmed(whole.substr(0, whole.find('#')));
    if (!rule.empty()) {
      TANDEM_ASSIGN_OR_RETURN(Rule parsed, ParseRule(rule, name, line));
      recipe.rules_.push_back(std::move(parsed));
    }
  }
  return recipe;
}

const Recipe::Rule* Recipe::Find(std::string_view tensor) const {
  for (const Rule& rule : rules_) {
    if (MatchesPattern(rule.pattern, tensor)) {
      return &rule;
    }
  }
  return nullptr;
}

}  // namespace tandem::quantize
