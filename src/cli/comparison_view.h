#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tandem/tandem.h"

#include "cli/answer_printer.h"
#include "cli/columns.h"
#include "cli/live_region.h"
#include "cli/state_line.h"
#include "cli/terminal.h"

namespace tandem {

/// Shows a comparison while it runs and when it has ended: columns that stream on a wide terminal;
/// on a narrow one, one model after the other under headings, of which the first streams; in a pipe
/// the same when all have ended. Single-threaded.
class ComparisonView {
 public:
  struct Options {
    std::function<Terminal()> terminal;  // asked before every frame: its size may change
    Terminal err;                        // where progress may be shown
    bool show_reasoning = true;
    bool quiet = false;
    int echo_fd = -1;  // see LiveRegion
  };

  ComparisonView(std::vector<std::string> labels, Options options, AnswerPrinter::Sink out,
                 AnswerPrinter::Sink err, AnswerPrinter::Clock clock);
  ~ComparisonView();

  void OnEvent(std::size_t column, const Event& event);
  /// Shows what is not shown yet. `limits`: the options of each column, for what is said about how
  /// it ended.
  void Finish(const std::vector<ColumnResult>& results, const std::vector<CompareColumn>& limits);

 private:
  void DrawIfDue();
  void PrintHeading(std::size_t column, const Terminal& terminal);
  void PrintSequence(const Terminal& terminal);

  std::vector<ColumnText> columns_;
  Options options_;
  AnswerPrinter::Sink out_;
  AnswerPrinter::Clock clock_;
  StateLine states_;
  std::unique_ptr<LiveRegion> region_;      // while columns stream side by side
  std::unique_ptr<AnswerPrinter> printer_;  // while the first column streams alone
  std::chrono::steady_clock::time_point last_draw_;
};

}  // namespace tandem
