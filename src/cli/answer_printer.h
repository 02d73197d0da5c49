#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "tandem/tandem.h"

#include "cli/stream_wrapper.h"
#include "cli/terminal.h"

namespace tandem {

/// Shows one answer while it is made: text on the output, everything else (progress, notes) on the
/// error stream. Single-threaded.
class AnswerPrinter {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;
  using Sink = std::function<void(std::string_view)>;

  struct Options {
    Terminal out;
    Terminal err;
    bool show_reasoning = true;
    bool quiet = false;  // nothing on the error stream
    /// The width of a terminal on the output now; asked before each piece of text. Empty: `out`'s.
    std::function<std::size_t()> columns = {};
  };

  AnswerPrinter(const Options& options, Sink out, Sink err, Clock clock);

  void OnEvent(const Event& event);
  /// Ends the last line, and what a broken-off answer left open.
  void Finish();

 private:
  enum class Part { kNothing, kReasoning, kAnswer };

  void AskWidth();
  void ShowProgress(const Event& event);
  void EraseProgress();
  void Enter(Part part);
  void ShowCall(const ToolCall& call);
  void WriteText(std::string_view text, Part part);
  void Show(std::string_view text);

  Options options_;
  Sink out_;
  Sink err_;
  Clock clock_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_progress_;
  bool progress_shown_ = false;
  Part part_ = Part::kNothing;
  StreamWrapper wrapper_;
  bool at_line_start_ = true;
};

}  // namespace tandem
