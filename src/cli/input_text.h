#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tandem {

/// All of standard input. Corrupt with the offset when it is not valid UTF-8.
Result<std::string> ReadStandardInput();

/// Corrupt with the offset when `text` is not valid UTF-8. `where` names it.
Status CheckUtf8(std::string_view text, std::string_view where);

/// Calls f(line, number from 1) for each line of `text` that is not empty; ends with f's first
/// error.
template <typename F>
Status ForLines(std::string_view text, F&& f) {
  std::size_t number = 1;
  for (std::size_t begin = 0; begin < text.size(); ++number) {
    const std::size_t end = std::min(text.size(), text.find('\n', begin));
    const std::string_view line = text.substr(begin, end - begin);
    if (!line.empty()) {
      TANDEM_RETURN_IF_ERROR(f(line, number));
    }
    begin = end + 1;
  }
  return OkStatus();
}

/// The prompt of a command line: what is piped into standard input (nothing when that is a
/// terminal; without the end of its last line), then `words`, all joined by single spaces. Empty
/// when there is nothing.
Result<std::string> ReadPrompt(const std::vector<std::string>& words);

/// Lines typed at a terminal, until it is closed. Reads file descriptor 0 itself, so nothing else
/// may. Single-threaded.
class LineReader {
 public:
  enum class Event { kLine, kEnd, kInterrupted };

  /// Waits for a line, which is stored without its end. kInterrupted: a signal came first, and what
  /// had been typed is gone.
  Event Next(std::string& line);

 private:
  std::string pending_;
};

}  // namespace tandem
