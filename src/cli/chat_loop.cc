#include "cli/chat_loop.h"

#include <unistd.h>

#include <array>
#include <string_view>
#include <utility>

#include "base/format.h"
#include "cli/command.h"
#include "cli/input_text.h"

namespace tandem {
namespace {

constexpr std::string_view kPromptSign = ">>> ";

// These start a message, they are no commands: the soft switches of thinking.
constexpr std::array<std::string_view, 3> kSoftSwitches = {"/think", "/no_think", "/nothink"};

std::string_view WithoutSpaces(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r";
  const std::size_t start = text.find_first_not_of(kSpaces);
  if (start == std::string_view::npos) {
    return "";
  }
  return text.substr(start, text.find_last_not_of(kSpaces) - start + 1);
}

bool IsSoftSwitch(std::string_view word) {
  for (const std::string_view known : kSoftSwitches) {
    if (known == word) {
      return true;
    }
  }
  return false;
}

}  // namespace

ChatLoop::ChatLoop(const Terminal& terminal, InterruptGuard& interrupt, Hooks hooks)
    : terminal_(terminal), interrupt_(interrupt), hooks_(std::move(hooks)) {}

void ChatLoop::ShowHelp() const {
  WriteNow(
      "  /clear   forget the conversation\n"
      "  /bye     leave (so does Ctrl-D)\n"
      "  Ctrl-C   stop the answer\n" +
          hooks_.help,
      STDOUT_FILENO);
}

ChatLoop::Next ChatLoop::HandleLine(const std::string& line) {
  const std::string_view text = WithoutSpaces(line);
  if (text.empty()) {
    return Next::kGoOn;
  }
  const std::string_view word = text.substr(0, text.find(' '));
  if (text[0] != '/' || IsSoftSwitch(word) || word.find('/', 1) != std::string_view::npos) {
    const Status valid = CheckUtf8(line, "the line");
    if (!valid.ok()) {
      PrintError(valid.message());
      return Next::kGoOn;
    }
    hooks_.answer(std::string(text));
    return Next::kGoOn;
  }
  if (word == "/bye" || word == "/exit") {
    return Next::kLeave;
  }
  if (word == "/clear") {
    hooks_.clear();
    WriteNow("The conversation is forgotten.\n", STDOUT_FILENO);
  } else if (word == "/?" || word == "/help") {
    ShowHelp();
  } else {
    PrintError(Format("'{}' is no command; /? lists them", Printable(word)));
  }
  return Next::kGoOn;
}

void ChatLoop::Run() {
  LineReader lines;
  std::string line;
  WriteNow(terminal_.Dim("Type a message; /? shows help, /bye leaves.") + "\n", STDOUT_FILENO);
  while (true) {
    WriteNow(kPromptSign, STDOUT_FILENO);
    const LineReader::Event event = lines.Next(line);
    if (event == LineReader::Event::kEnd) {
      WriteNow("\n", STDOUT_FILENO);
      return;
    }
    if (event == LineReader::Event::kInterrupted) {
      interrupt_.Clear();
      if (interrupt_.interrupted()) {  // told to end, not just Ctrl-C
        WriteNow("\n", STDOUT_FILENO);
        return;
      }
      WriteNow(Format("\n{}\n", terminal_.Dim("Type /bye or press Ctrl-D to leave.")),
               STDOUT_FILENO);
      continue;
    }
    if (HandleLine(line) == Next::kLeave) {
      return;
    }
    interrupt_.Clear();
    if (interrupt_.interrupted()) {
      return;
    }
  }
}

}  // namespace tandem
