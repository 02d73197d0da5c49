#pragma once

#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace tandem {

/// Numbers of one window of a text, by name: "nll", "kl", ...
using WindowScores = std::map<std::string, std::vector<double>>;

/// What a long measurement has finished, on disk: a line that says of what, then a line per window.
/// A line cut short by a crash is forgotten. Single-threaded.
class WindowJournal {
 public:
  /// Opens or starts `path`. InvalidArgument when it belongs to another measurement (`key`), Io
  /// when it cannot be written.
  static Result<WindowJournal> Open(const std::filesystem::path& path, const std::string& key);

  /// One that forgets.
  WindowJournal() = default;

  const std::map<std::size_t, WindowScores>& finished() const { return finished_; }
  Status Add(std::size_t window, const WindowScores& scores);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::map<std::size_t, WindowScores> finished_;
};

}  // namespace tandem
