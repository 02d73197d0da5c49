#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "cli/terminal.h"

namespace tandem {

/// How far something is, as one line of at most `columns` cells:
/// "model.gguf  [=====>    ]  45 %  1.23 GB of 2.74 GB  34.5 MB/s  0:45 left".
/// rate: bytes per second, 0 when it is not known yet.
std::string ProgressLine(std::string_view label, std::uint64_t done, std::uint64_t total,
                         double rate, std::size_t columns);

/// That line, drawn over and over on a terminal; nothing at all elsewhere. Single-threaded.
class ProgressBar {
 public:
  using Sink = std::function<void(std::string_view)>;
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  ProgressBar(const Terminal& terminal, Sink sink, Clock clock);
  /// Erases the line.
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// `moved`: bytes that this run has moved, from which the rate is taken (what was there already
  /// costs no time).
  void Show(std::string_view label, std::uint64_t done, std::uint64_t total, std::uint64_t moved);
  void Erase();

 private:
  double Rate(std::uint64_t moved);

  Terminal terminal_;
  Sink sink_;
  Clock clock_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point drawn_{};
  std::chrono::steady_clock::time_point mark_time_{};  // start of the span the rate is taken over
  std::uint64_t mark_bytes_ = 0;
  double rate_ = 0;
};

}  // namespace tandem
