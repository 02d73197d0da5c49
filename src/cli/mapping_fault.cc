#include "cli/mapping_fault.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "cli/command.h"

// Everything below OnFault runs inside a signal handler: it calls only what POSIX calls
// async-signal-safe, allocates nothing, and finds the mapping where the system lists it, so that
// the library keeps no global list of its files.

namespace tandem {
namespace {

/// Text of a limited length without an allocation; what does not fit is left out.
class Line {
 public:
  void Add(std::string_view text) {
    const std::size_t taken = text.size() < room() ? text.size() : room();
    std::memcpy(text_.data() + size_, text.data(), taken);
    size_ += taken;
  }
  void Add(std::uint64_t number) {
    std::array<char, 20> digits{};
    std::size_t begin = digits.size();
    do {
      digits[--begin] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    Add(std::string_view(digits.data() + begin, digits.size() - begin));
  }
  /// A name from a stranger's disk: nothing in it steers a terminal.
  void AddName(std::string_view name) {
    for (const char c : name) {
      const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
      Add(std::string_view(control ? "?" : &c, 1));
    }
  }
  void Write(int fd) const {
    const ssize_t ignored = write(fd, text_.data(), size_);
    static_cast<void>(ignored);
  }

 private:
  std::size_t room() const { return text_.size() - size_; }

  std::array<char, 4608> text_{};
  std::size_t size_ = 0;
};

/// A line of /proc/self/maps: "BEGIN-END rwxp OFFSET DEVICE INODE   PATH", numbers in base 16 but
/// for the inode.
struct Mapping {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t offset = 0;
  std::uint64_t inode = 0;
  std::string_view path;  // empty: no file
};

std::uint64_t TakeNumber(std::string_view& text, unsigned base) {
  std::uint64_t number = 0;
  while (!text.empty()) {
    const char c = text.front();
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (base != 16 || c < 'a' || c > 'f')) {
      break;
    }
    number = number * base + static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10);
    text.remove_prefix(1);
  }
  return number;
}

void Skip(std::string_view& text, std::size_t count) {
  text.remove_prefix(count < text.size() ? count : text.size());
}

void SkipField(std::string_view& text) {
  while (!text.empty() && text.front() != ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
}

Mapping ReadMapping(std::string_view line) {
  Mapping mapping;
  mapping.begin = TakeNumber(line, 16);
  Skip(line, 1);
  mapping.end = TakeNumber(line, 16);
  SkipField(line);
  SkipField(line);
  mapping.offset = TakeNumber(line, 16);
  SkipField(line);
  SkipField(line);
  mapping.inode = TakeNumber(line, 10);
  SkipField(line);
  mapping.path = line.empty() || line.front() != '/' ? std::string_view() : line;
  return mapping;
}

/// The mapping that holds `address`; its path views `text`, room for one line. False when there is
/// none.
bool FindMapping(std::uint64_t address, std::array<char, 4608>& text, Mapping& found) {
  const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  std::size_t size = 0;
  char c = 0;
  // Byte by byte: slow, once.
  while (fd >= 0 && read(fd, &c, 1) == 1) {
    if (c != '\n') {
      if (size < text.size()) {
        text[size++] = c;
      }
      continue;
    }
    const Mapping mapping = ReadMapping({text.data(), size});
    size = 0;
    if (address >= mapping.begin && address < mapping.end) {
      close(fd);
      found = mapping;
      return true;
    }
  }
  if (fd >= 0) {
    close(fd);
  }
  return false;
}

/// The bytes of the file now; false when its name is another file's or nobody's by now.
bool SizeNow(const Mapping& mapping, std::uint64_t& size) {
  std::array<char, 4608> path{};
  if (mapping.path.size() >= path.size()) {
    return false;
  }
  std::memcpy(path.data(), mapping.path.data(), mapping.path.size());
  struct stat info {};
  if (stat(path.data(), &info) != 0 || info.st_ino != mapping.inode) {
    return false;
  }
  size = static_cast<std::uint64_t>(info.st_size);
  return true;
}

void Report(const Mapping& mapping, std::uint64_t address) {
  const std::uint64_t at = mapping.offset + (address - mapping.begin);
  std::uint64_t size = 0;
  Line line;
  line.Add("Error: '");
  line.AddName(mapping.path);
  if (SizeNow(mapping, size) && size <= at) {
    line.Add("' was cut to ");
    line.Add(size);
    line.Add(" bytes while it was in use; byte ");
    line.Add(at);
    line.Add(" is needed\n");
  } else {
    line.Add("' can no longer be read at byte ");
    line.Add(at);
    line.Add("; it was in use\n");
  }
  line.Write(STDERR_FILENO);
}

// What the program may have changed: the cursor is hidden and the echo off while an answer is
// shown. A handler can reach nothing but global state.
// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables): see above.
termios terminal_before{};
bool terminal_known = false;
std::atomic<bool> ending{false};
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)

static_assert(std::atomic<bool>::is_always_lock_free);

void RestoreTerminal() {
  constexpr std::string_view kShowCursor = "\x1b[0m\x1b[?25h\n";
  if (isatty(STDOUT_FILENO) != 0) {
    const ssize_t ignored = write(STDOUT_FILENO, kShowCursor.data(), kShowCursor.size());
    static_cast<void>(ignored);
  }
  // From the background it would stop the process instead.
  if (terminal_known && tcgetpgrp(STDIN_FILENO) == getpgrp()) {
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
  }
}

void OnFault(int signal, siginfo_t* info, void* /*context*/) {
  if (ending.exchange(true)) {
    // Another thread has met the same hole and is about to say so.
    while (true) {
      pause();
    }
  }
  const auto address = reinterpret_cast<std::uint64_t>(info->si_addr);
  std::array<char, 4608> text{};
  Mapping mapping;
  if (info->si_code == BUS_ADRERR && FindMapping(address, text, mapping) && !mapping.path.empty()) {
    RestoreTerminal();
    Report(mapping, address);
    _exit(static_cast<int>(ExitCode::kFailure));
  }
  // A fault of ours: as without this handler.
  std::signal(signal, SIG_DFL);
  raise(signal);
}

}  // namespace

void EndOnUnreadableMapping() {
  terminal_known = tcgetattr(STDIN_FILENO, &terminal_before) == 0;
  struct sigaction action {};
  action.sa_sigaction = &OnFault;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, nullptr);
}

}  // namespace tandem
