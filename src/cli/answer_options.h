#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tandem/tandem.h"

#include "base/status.h"

namespace CLI {
class App;
}

namespace tandem {

/// The options of the verbs that answer: how a model is opened and how it is asked.
class AnswerOptions {
 public:
  /// Adds them to a verb.
  void AddTo(CLI::App& app);
  OpenOptions open() const { return open_; }
  /// InvalidArgument that names the option and its value.
  Result<GenerateOptions> generate() const;
  const std::optional<std::uint64_t>& seed() const { return seed_; }
  const std::string& system() const { return system_; }

 private:
  OpenOptions open_;
  GenerateOptions generate_;
  std::optional<std::uint64_t> seed_;
  std::optional<std::string> think_;
  std::vector<std::string> bias_;
  std::string system_;
};

/// Settings of one column, "think", "nothink" or KEY=VALUE with a key of sampling or opening, comma
/// separated, as after the @ of `NAME@nothink,temperature=0`. InvalidArgument names what is wrong.
Status ApplyColumnSettings(const std::string& settings, OpenOptions& open,
                           GenerateOptions& generate);

/// The prompt: words joined by spaces, behind what standard input holds when it is no terminal (its
/// last newline dropped). Corrupt for text that is not valid UTF-8.
Result<std::string> GatherPrompt(const std::vector<std::string>& words);

/// From the first call on, Ctrl-C sets this instead of ending the program; a second Ctrl-C before
/// it is cleared does end it.
std::atomic<bool>& InterruptFlag();

}  // namespace tandem
