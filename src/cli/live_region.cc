#include "cli/live_region.h"

#include <termios.h>

#include <algorithm>
#include <utility>

#include "base/format.h"

namespace tandem {
namespace {

// Escapes of ECMA-48 and the DEC private modes. A terminal that does not know synchronised output
// (2026) ignores it.
constexpr std::string_view kHideCursor = "\x1b[?25l";
constexpr std::string_view kShowCursor = "\x1b[?25h";
constexpr std::string_view kBeginFrame = "\x1b[?2026h\x1b[?7l";  // and no automatic line wrap
constexpr std::string_view kEndFrame = "\x1b[?7h\x1b[?2026l";
constexpr std::string_view kEraseToLineEnd = "\x1b[K";
constexpr std::string_view kEraseBelow = "\x1b[J";

}  // namespace

struct LiveRegion::Echo {
  explicit Echo(int terminal) : fd(terminal) {
    known = fd >= 0 && tcgetattr(fd, &before) == 0;
    if (known) {
      termios silent = before;
      silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
      tcsetattr(fd, TCSADRAIN, &silent);
    }
  }
  ~Echo() {
    if (known) {
      tcsetattr(fd, TCSADRAIN, &before);
    }
  }
  Echo(const Echo&) = delete;
  Echo& operator=(const Echo&) = delete;

  int fd;
  bool known = false;
  termios before{};
};

LiveRegion::LiveRegion(Sink sink, int fd)
    : sink_(std::move(sink)), echo_(std::make_unique<Echo>(fd)) {
  sink_(kHideCursor);
}

LiveRegion::~LiveRegion() {
  Close();
}

void LiveRegion::Close() {
  if (open_) {
    sink_(kShowCursor);
    echo_.reset();
    open_ = false;
  }
}

std::string LiveRegion::MoveToTop(const Terminal& terminal) {
  // A terminal that became narrower has broken the lines that no longer fit.
  std::size_t rows = 0;
  for (const ScreenLine& line : shown_) {
    const bool broken = terminal.columns < shown_columns_ && line.cells > terminal.columns;
    rows += broken ? (line.cells + terminal.columns - 1) / terminal.columns : 1;
  }
  rows = std::min(rows, terminal.rows - 1);
  return rows == 0 ? "\r" : Format("\r\x1b[{}A", rows);
}

void LiveRegion::Draw(const std::vector<ScreenLine>& lines, const Terminal& terminal) {
  const bool resized = terminal.columns != shown_columns_;
  std::string frame(kBeginFrame);
  frame += MoveToTop(terminal);
  frame += resized ? kEraseBelow : "";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const bool same = !resized && i < shown_.size() && shown_[i].text == lines[i].text;
    if (!same) {
      frame += lines[i].text;
      frame += kEraseToLineEnd;
    }
    frame += "\r\n";
  }
  frame += lines.size() < shown_.size() ? kEraseBelow : "";
  frame += kEndFrame;
  sink_(frame);
  shown_ = lines;
  shown_columns_ = terminal.columns;
}

void LiveRegion::Finish(const std::vector<ScreenLine>& lines, const Terminal& terminal) {
  std::string text(kBeginFrame);
  text += MoveToTop(terminal);
  text += kEraseBelow;
  for (const ScreenLine& line : lines) {
    text += line.text;
    text += "\r\n";
  }
  text += kEndFrame;
  sink_(text);
  shown_.clear();
  Close();
}

}  // namespace tandem
