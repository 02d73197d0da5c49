#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "gguf/tensor_type.h"

namespace tandem::quantize {

/// Types of single tensors, given by people. A text file of lines `PATTERN TYPE`; `*` in a pattern
/// stands for any characters, `?` for one; the first line that fits a tensor's name wins; `keep`
/// in place of a type leaves the tensor as it is. `#` starts a comment.
class Recipe {
 public:
  struct Rule {
    std::string pattern;
    std::optional<gguf::TensorType> type;  // nothing: keep
    std::size_t line = 0;
  };

  /// Errors name the file and the line. Only types that can be made are allowed.
  static Result<Recipe> Read(const std::filesystem::path& path);
  static Result<Recipe> Parse(std::string_view text, std::string_view name);

  /// The first rule for a tensor, or nullptr.
  const Rule* Find(std::string_view tensor) const;

  const std::vector<Rule>& rules() const { return rules_; }
  const std::string& name() const { return name_; }

 private:
  std::vector<Rule> rules_;
  std::string name_;
};

/// Whether `text` fits a pattern of `*` and `?`.
bool MatchesPattern(std::string_view pattern, std::string_view text);

}  // namespace tandem::quantize
