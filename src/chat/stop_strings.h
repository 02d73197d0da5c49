#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tandem {

/// Watches streamed text for several stop strings: lets through what can no longer become part of
/// one and holds the rest back, so that no part of a stop string is ever shown. Single-threaded.
class StopStrings {
 public:
  /// Empty strings are ignored.
  explicit StopStrings(std::vector<std::string> stops);

  /// The text that may be shown now. After a match nothing more comes.
  std::string Push(std::string_view text);
  /// At the end: what was held back and did not become a match.
  std::string Flush();
  bool matched() const { return matched_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool matched_ = false;
};

}  // namespace tandem
