#include "cli/repl/line_editor.h"

namespace tandem {
namespace {

constexpr std::string_view kFence = "\"\"\"";

}  // namespace

bool MessageLines::Push(std::string_view line, bool more) {
  if (lines_++ > 0) {
    text_ += '\n';
  }
  if (!in_block_) {
    const std::size_t start = line.find_first_not_of(" \t");
    if (start != std::string_view::npos && line.substr(start).starts_with(kFence)) {
      in_block_ = true;
      line.remove_prefix(start + kFence.size());
    }
  }
  if (in_block_) {
    const std::size_t last = line.find_last_not_of(" \t");
    const std::string_view trimmed = line.substr(0, last == std::string_view::npos ? 0 : last + 1);
    if (trimmed.ends_with(kFence)) {
      in_block_ = false;
      line = trimmed.substr(0, trimmed.size() - kFence.size());
    }
  }
  text_ += line;
  return !in_block_ && !more;
}

std::string MessageLines::Take() {
  std::string text = std::move(text_);
  *this = MessageLines();
  // The fences may stand on lines of their own.
  while (text.starts_with('\n')) {
    text.erase(0, 1);
  }
  while (text.ends_with('\n')) {
    text.pop_back();
  }
  return text;
}

}  // namespace tandem
