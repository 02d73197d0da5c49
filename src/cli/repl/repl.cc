#include "cli/repl/repl.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/format.h"
#include "base/suggestion.h"
#include "cli/command.h"

namespace tandem {
namespace {

// These start a message, they are no commands: the soft switches of thinking.
constexpr std::array<std::string_view, 3> kSoftSwitches = {"/think", "/no_think", "/nothink"};

std::string_view WithoutSpaces(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n";
  const std::size_t start = text.find_first_not_of(kSpaces);
  if (start == std::string_view::npos) {
    return "";
  }
  return text.substr(start, text.find_last_not_of(kSpaces) - start + 1);
}

bool IsSoftSwitch(std::string_view word) {
  return std::find(kSoftSwitches.begin(), kSoftSwitches.end(), word) != kSoftSwitches.end();
}

const char* Home() {
  const char* home = std::getenv("HOME");
  return home == nullptr ? "" : home;
}

// Where typed lines are remembered: the user's state folder.
std::filesystem::path HistoryFile() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') {
    return std::filesystem::path(state) / "tandem" / "history";
  }
  const std::string home = Home();
  return home.empty() ? std::filesystem::path()
                      : std::filesystem::path(home) / ".local/state/tandem/history";
}

// Blocks the signals that the main thread waits for, so that a new thread is born without them.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t blocked;
    sigemptyset(&blocked);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) {
      sigaddset(&blocked, signal);
    }
    pthread_sigmask(SIG_BLOCK, &blocked, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

std::pair<std::string_view, std::string_view> SplitWord(std::string_view text) {
  const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
  const std::size_t next = std::min(text.find_first_not_of(" \n", end), text.size());
  return {text.substr(0, end), text.substr(next)};
}

std::vector<std::string> MatchingFiles(const std::string& text) {
  const std::size_t slash = text.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : text.substr(0, slash + 1);
  const std::string begin = text.substr(folder.size());
  std::string real = folder.empty() ? "." : folder;
  if (real.starts_with("~/")) {
    real = Home() + real.substr(1);
  }
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(real, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(begin) && (!begin.empty() || !name.starts_with('.'))) {
      found.push_back(folder + name + (entry.is_directory(error) ? "/" : ""));
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

Repl::Repl(const Terminal& terminal, InterruptGuard& interrupt, std::vector<ReplCommand> commands,
           Hooks hooks)
    : terminal_(terminal),
      interrupt_(interrupt),
      commands_(std::move(commands)),
      hooks_(std::move(hooks)),
      editor_({.editing = terminal.escapes,
               .history_file = HistoryFile(),
               .interrupted = interrupt.flag(),
               .complete = [this](std::string_view line) { return Complete(line); }}) {}

void Repl::ShowHelp() const {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const ReplCommand& command : commands_) {
    rows.emplace_back(command.arguments.empty() ? std::string(command.name)
                                                : Format("{} {}", command.name, command.arguments),
                      command.help);
  }
  rows.emplace_back("/bye", "leave (so does Ctrl-D)");
  rows.emplace_back("\"\"\"", "begins and ends a message of several lines");
  rows.emplace_back("Ctrl-C", "stop the answer; twice at the prompt: leave");
  if (terminal_.escapes) {
    rows.emplace_back("Tab", "complete commands and file names; Up, Down and Ctrl-R: history");
  }
  std::size_t width = 0;
  for (const auto& [left, right] : rows) {
    width = std::max(width, left.size());
  }
  std::string text;
  for (const auto& [left, right] : rows) {
    text += Format("  {:<{}}  {}\n", left, width, right);
  }
  WriteNow(text + hooks_.help, STDOUT_FILENO);
}

Completions Repl::Complete(std::string_view line) const {
  const std::size_t space = line.find(' ');
  if (line.starts_with('/') && space == std::string_view::npos) {
    Completions found;
    for (const ReplCommand& command : commands_) {
      if (command.name.starts_with(line)) {
        found.words.emplace_back(command.name);
      }
    }
    for (const std::string_view name : {"/bye", "/help"}) {
      if (name.starts_with(line)) {
        found.words.emplace_back(name);
      }
    }
    if (!found.words.empty()) {
      return found;
    }
  }
  const std::size_t from = line.rfind(' ') == std::string_view::npos ? 0 : line.rfind(' ') + 1;
  const std::string word(line.substr(from));
  for (const ReplCommand& command : commands_) {
    if (line.substr(0, space) == command.name && !command.words.empty()) {
      Completions found{.from = from, .words = {}};
      for (const std::string& known : command.words) {
        if (known.starts_with(word)) {
          found.words.push_back(known);
        }
      }
      return found;
    }
  }
  return {.from = from, .words = MatchingFiles(word)};
}

Repl::Next Repl::Handle(const std::string& message) {
  const std::string_view text = WithoutSpaces(message);
  if (text.empty()) {
    return Next::kGoOn;
  }
  const std::string_view word = text.substr(0, text.find_first_of(" \n"));
  if (text[0] != '/' || IsSoftSwitch(word) || word.find('/', 1) != std::string_view::npos) {
    hooks_.answer(std::string(text));
    return Next::kGoOn;
  }
  if (word == "/bye" || word == "/exit") {
    return Next::kLeave;
  }
  if (word == "/?" || word == "/help") {
    ShowHelp();
    return Next::kGoOn;
  }
  std::vector<std::string> names = {"/bye", "/help"};
  for (const ReplCommand& command : commands_) {
    if (command.name == word) {
      command.run(WithoutSpaces(text.substr(word.size())));
      return Next::kGoOn;
    }
    names.emplace_back(command.name);
  }
  const std::string closest = ClosestName(word, names);
  PrintError(Format("'{}' is no command{}; /? lists them", Printable(word),
                    closest.empty() ? "" : Format(", did you mean {}?", closest)));
  return Next::kGoOn;
}

LineEditor::Event Repl::Ask(std::string& message) {
  std::atomic<bool> stop{false};
  std::thread worker;
  if (hooks_.while_waiting) {
    const SignalsBlocked blocked;
    worker = std::thread([&] { hooks_.while_waiting(stop); });
  }
  const LineEditor::Event event = editor_.Next(message, std::exchange(initial_, ""));
  stop = true;
  if (worker.joinable()) {
    worker.join();
  }
  return event;
}

void Repl::Run() {
  WriteNow(terminal_.Dim("Type a message; /? shows help, /bye leaves.") + "\n", STDOUT_FILENO);
  bool asked_to_leave = false;
  std::string message;
  while (true) {
    const LineEditor::Event event = Ask(message);
    if (event == LineEditor::Event::kEnd) {
      WriteNow("\n", STDOUT_FILENO);
      return;
    }
    if (event == LineEditor::Event::kInterrupted) {
      interrupt_.Clear();
      WriteNow("\n", STDOUT_FILENO);
      if (asked_to_leave || interrupt_.interrupted()) {  // the latter: told to end
        return;
      }
      asked_to_leave = true;
      WriteNow(Format("{}\n", terminal_.Dim("Type /bye or press Ctrl-D to leave.")), STDOUT_FILENO);
      continue;
    }
    asked_to_leave = false;
    if (Handle(message) == Next::kLeave) {
      return;
    }
    interrupt_.Clear();
    if (interrupt_.interrupted()) {
      return;
    }
  }
}

}  // namespace tandem
