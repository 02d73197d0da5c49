#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/columns.h"
#include "cli/terminal.h"

namespace tandem {

/// The last lines of a terminal, drawn over again and again: only what changed is sent, in one
/// piece, so that nothing flickers. While it lives the cursor is hidden and typing is not echoed.
/// Survives a change of the window's size. Single-threaded.
class LiveRegion {
 public:
  using Sink = std::function<void(std::string_view)>;

  /// `fd`: the terminal whose echo is switched off; negative: none (tests).
  LiveRegion(Sink sink, int fd);
  ~LiveRegion();
  LiveRegion(const LiveRegion&) = delete;
  LiveRegion& operator=(const LiveRegion&) = delete;

  /// Shows `lines` (fewer than the terminal's rows) in the place of the lines before.
  void Draw(const std::vector<ScreenLine>& lines, const Terminal& terminal);
  /// Replaces the region by lines that stay, as many as there are.
  void Finish(const std::vector<ScreenLine>& lines, const Terminal& terminal);

 private:
  std::string MoveToTop(const Terminal& terminal);
  void Close();

  struct Echo;  // keeps the terminal's settings

  Sink sink_;
  std::unique_ptr<Echo> echo_;
  std::vector<ScreenLine> shown_;
  std::size_t shown_columns_ = 0;
  bool open_ = true;
};

}  // namespace tandem
