#include "cli/input_text.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>

#include "base/format.h"
#include "base/utf8.h"

namespace tandem {

Status CheckUtf8(std::string_view text, std::string_view where) {
  const std::size_t bad = FindInvalidUtf8(text);
  if (bad != std::string_view::npos) {
    return {StatusCode::kCorrupt, Format("{} is not valid UTF-8 at byte {}", where, bad)};
  }
  return OkStatus();
}

Result<std::string> ReadStandardInput() {
  std::string text;
  std::array<char, 65536> buffer;
  while (true) {
    const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), stdin);
    text.append(buffer.data(), n);
    if (n == 0) {
      break;
    }
  }
  if (std::ferror(stdin) != 0) {
    return Status(StatusCode::kIo, "cannot read standard input");
  }
  TANDEM_RETURN_IF_ERROR(CheckUtf8(text, "standard input"));
  return text;
}

Result<std::string> ReadPrompt(const std::vector<std::string>& words) {
  std::string prompt;
  if (isatty(STDIN_FILENO) == 0) {
    TANDEM_ASSIGN_OR_RETURN(prompt, ReadStandardInput());
    for (const char end : {'\n', '\r'}) {
      if (prompt.ends_with(end)) {
        prompt.pop_back();
      }
    }
  }
  for (const std::string& word : words) {
    TANDEM_RETURN_IF_ERROR(CheckUtf8(word, "the prompt"));
    if (!prompt.empty()) {
      prompt += ' ';
    }
    prompt += word;
  }
  return prompt;
}

LineReader::Event LineReader::Next(std::string& line) {
  std::array<char, 4096> buffer;
  while (true) {
    const std::size_t end = pending_.find('\n');
    if (end != std::string::npos) {
      line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return Event::kLine;
    }
    const ssize_t n = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n > 0) {
      pending_.append(buffer.data(), static_cast<std::size_t>(n));
    } else if (n < 0 && errno == EINTR) {
      pending_.clear();
      return Event::kInterrupted;
    } else if (pending_.empty()) {
      return Event::kEnd;
    } else {
      line = std::exchange(pending_, "");
      return Event::kLine;
    }
  }
}

}  // namespace tandem
