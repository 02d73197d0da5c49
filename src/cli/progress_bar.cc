#include "cli/progress_bar.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/format.h"
#include "cli/numbers.h"
#include "cli/text_layout.h"

namespace tandem {
namespace {

constexpr std::size_t kLeastBar = 8;
constexpr std::size_t kMostBar = 30;

std::string TimeLeft(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  return whole >= 3600 ? Format("{}:{:02}:{:02} left", whole / 3600, whole / 60 % 60, whole % 60)
                       : Format("{}:{:02} left", whole / 60, whole % 60);
}

std::string Bar(std::size_t cells, double part) {
  const auto filled = static_cast<std::size_t>(part * static_cast<double>(cells));
  std::string bar(std::min(filled, cells), '=');
  if (bar.size() < cells) {
    bar += '>';
  }
  return Format("[{}{}]", bar, std::string(cells - std::min(bar.size(), cells), ' '));
}

}  // namespace

std::string ProgressLine(std::string_view label, std::uint64_t done, std::uint64_t total,
                         double rate, std::size_t columns) {
  const double part = total == 0 ? 1 : static_cast<double>(done) / static_cast<double>(total);
  std::string numbers =
      Format("{:>3.0f} %  {} of {}", std::floor(100 * part), FormatBytes(static_cast<double>(done)),
             FormatBytes(static_cast<double>(total)));
  if (rate > 0) {
    numbers += Format("  {}/s  {}", FormatBytes(rate),
                      TimeLeft(static_cast<double>(total - std::min(done, total)) / rate));
  }
  // What must be there first, then the bar, then as much of the label as is left.
  const std::size_t room = columns > numbers.size() + 1 ? columns - numbers.size() - 1 : 0;
  const std::size_t bar = room >= kLeastBar + 4 ? std::clamp(room / 2, kLeastBar, kMostBar) : 0;
  std::string line = bar == 0 ? numbers : Bar(bar, part) + "  " + numbers;
  const std::size_t left = room > bar + 6 ? room - bar - 6 : 0;
  if (left >= 8) {
    line = CutText(std::string(label), left) + "  " + line;
  }
  return CutText(line, columns);
}

ProgressBar::ProgressBar(const Terminal& terminal, Sink sink, Clock clock)
    : terminal_(terminal), sink_(std::move(sink)), clock_(std::move(clock)) {}

ProgressBar::~ProgressBar() {
  Erase();
}

double ProgressBar::Rate(std::uint64_t moved) {
  constexpr std::chrono::seconds kSpan{3};
  const auto now = clock_();
  if (mark_time_ == std::chrono::steady_clock::time_point{} || moved < mark_bytes_) {
    mark_time_ = now;
    mark_bytes_ = moved;
    return rate_;
  }
  const double seconds = std::chrono::duration<double>(now - mark_time_).count();
  const double current = seconds > 0 ? static_cast<double>(moved - mark_bytes_) / seconds : 0;
  if (now - mark_time_ >= kSpan) {
    // Half of what was, half of what is: a line that does not jump.
    rate_ = rate_ > 0 ? (rate_ + current) / 2 : current;
    mark_time_ = now;
    mark_bytes_ = moved;
  }
  return rate_ > 0 ? rate_ : current;
}

void ProgressBar::Show(std::string_view label, std::uint64_t done, std::uint64_t total,
                       std::uint64_t moved) {
  constexpr std::chrono::milliseconds kPause{100};
  const double rate = Rate(moved);
  if (!terminal_.interactive || !terminal_.escapes || (shown_ && clock_() - drawn_ < kPause)) {
    return;
  }
  drawn_ = clock_();
  shown_ = true;
  const std::size_t columns = terminal_.columns > 1 ? terminal_.columns - 1 : 1;
  sink_(Format("\r{}\x1b[K", ProgressLine(label, done, total, rate, columns)));
}

void ProgressBar::Erase() {
  if (std::exchange(shown_, false)) {
    sink_("\r\x1b[K");
  }
}

}  // namespace tandem
