#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/format.h"

namespace tandem {
namespace {

bool IsSet(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

}  // namespace

Terminal Terminal::Of(int fd) {
  Terminal terminal;
  terminal.interactive = isatty(fd) != 0;
  if (!terminal.interactive) {
    return terminal;
  }
  const char* kind = std::getenv("TERM");
  terminal.escapes = kind != nullptr && *kind != '\0' && std::string_view(kind) != "dumb";
  terminal.colour = terminal.escapes && !IsSet("NO_COLOR");
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    terminal.columns = size.ws_col;
    terminal.rows = size.ws_row;
  }
  return terminal;
}

std::string Terminal::Bold(std::string_view text) const {
  return colour ? Format("\x1b[1m{}\x1b[0m", text) : std::string(text);
}

std::string Terminal::Dim(std::string_view text) const {
  return colour ? Format("\x1b[2m{}\x1b[0m", text) : std::string(text);
}

// Not by the stream: a signal that comes while the terminal makes it wait (Ctrl-C, a new width)
// would be an error of it for good, and what it held lost. What truly fails is left to the stream,
// where the end of the program finds it.
void WriteNow(std::string_view text, int fd) {
  std::FILE* stream = fd == STDERR_FILENO ? stderr : stdout;
  std::fflush(stream);
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      std::fwrite(text.data(), 1, text.size(), stream);
      std::fflush(stream);
      return;
    }
  }
}

}  // namespace tandem
