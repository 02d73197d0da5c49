#include "cli/repl/line_editor.h"

#include <histedit.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "cli/input_text.h"
#include "cli/terminal.h"

namespace tandem {
namespace {

static_assert(sizeof(wchar_t) == sizeof(char32_t), "wide characters are code points here");

constexpr std::string_view kPasteBegin = "\x1b[200~";
constexpr std::string_view kPasteEnd = "\x1b[201~";
constexpr char32_t kCtrlD = 4;
constexpr int kHistoryLength = 1000;
// A signal that comes just before the waiting begins is seen this much later.
constexpr int kSignalMilliseconds = 100;
// How long the rest of an escape sequence may take to arrive.
constexpr int kEscapeMilliseconds = 30;

std::wstring ToWide(std::string_view text) {
  std::wstring wide;
  while (!text.empty()) {
    const Utf8Char c = DecodeUtf8(text);
    wide += static_cast<wchar_t>(c.code_point);
    text.remove_prefix(c.length);
  }
  return wide;
}

std::string ToUtf8(std::wstring_view wide) {
  std::string text;
  for (const wchar_t c : wide) {
    AppendUtf8(static_cast<char32_t>(c), text);
  }
  return text;
}

// The longest common beginning of all words, which are not empty.
std::string CommonBeginning(const std::vector<std::string>& words) {
  std::string common = words.front();
  for (const std::string& word : words) {
    const auto end = std::mismatch(common.begin(), common.end(), word.begin(), word.end()).first;
    common.erase(end, common.end());
  }
  while (FindInvalidUtf8(common) != std::string::npos) {
    common.pop_back();
  }
  return common;
}

// The bytes that were typed or pasted, before libedit sees them.
class Keyboard {
 public:
  explicit Keyboard(const std::atomic<bool>* interrupted) : interrupted_(interrupted) {}

  enum class Key { kCharacter, kPasted, kEnd, kInterrupted };

  // Waits for a key. kPasted: `text` was pasted, without a line's end in it; a line's end that was
  // pasted is the character '\n', with pasted_line_end() true.
  Key Next(char32_t& character, std::string& text) {
    pasted_line_end_ = false;
    if (TypedAheadEnd()) {
      character = kCtrlD;
      return Key::kCharacter;
    }
    while (true) {
      if (pending_.empty() && !Fill(-1)) {
        return ended_ ? Key::kEnd : Key::kInterrupted;
      }
      if (pasting_) {
        if (!TakePasted(text)) {
          continue;
        }
        if (!text.empty()) {
          return Key::kPasted;
        }
        character = U'\n';
        pasted_line_end_ = true;
        return Key::kCharacter;
      }
      if (TakeMark(kPasteBegin)) {
        pasting_ = true;
        continue;
      }
      while (DecodeUtf8(pending_).incomplete && Fill(kEscapeMilliseconds)) {
      }
      const Utf8Char c = DecodeUtf8(pending_);
      character = c.code_point;
      pending_.erase(0, c.length);
      return Key::kCharacter;
    }
  }

  bool pasted_line_end() const { return pasted_line_end_; }
  // A new line begins.
  void Begin() { fresh_ = true; }

 private:
  // Ctrl-D that was typed before the terminal handed on single keys arrives as a zero byte.
  bool TypedAheadEnd() {
    if (!std::exchange(fresh_, false)) {
      return false;
    }
    if (pending_.empty()) {
      Fill(0);
    }
    if (pending_.empty() || pending_.front() != '\0') {
      return false;
    }
    pending_.erase(0, 1);
    return true;
  }

  // More bytes; false at the end, after a signal, or when the time (-1: any) is over.
  bool Fill(int milliseconds) {
    pollfd wait{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    int ready = 0;
    do {
      if (interrupted_ != nullptr && *interrupted_) {
        return false;
      }
      ready = poll(&wait, 1, milliseconds < 0 ? kSignalMilliseconds : milliseconds);
    } while (ready == 0 && milliseconds < 0);
    if (ready <= 0) {
      return false;
    }
    std::array<char, 4096> buffer;
    const ssize_t n = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n > 0) {
      pending_.append(buffer.data(), static_cast<std::size_t>(n));
      return true;
    }
    ended_ = n == 0 || errno != EINTR;
    return false;
  }

  // Takes `mark` from the front if it stands there, after waiting for its rest.
  bool TakeMark(std::string_view mark) {
    while (pending_.size() < mark.size() && mark.starts_with(pending_) &&
           Fill(kEscapeMilliseconds)) {
    }
    if (!pending_.starts_with(mark)) {
      return false;
    }
    pending_.erase(0, mark.size());
    return true;
  }

  // Of what is being pasted: text up to a line's end, or (empty) a line's end. False when the paste
  // ended, or more must arrive first.
  bool TakePasted(std::string& text) {
    text.clear();
    if (pending_.front() == '\x1b' && TakeMark(kPasteEnd)) {
      pasting_ = false;
      return false;
    }
    if (pending_.front() == '\r' || pending_.front() == '\n') {
      if (pending_.starts_with("\r\n")) {
        pending_.erase(0, 1);
      }
      pending_.erase(0, 1);
      return true;
    }
    // Control characters but the tab have no place in a message; an escape would move the cursor.
    std::size_t length = 0;
    while (length < pending_.size() && pending_[length] != '\r' && pending_[length] != '\n') {
      if (pending_[length] == '\x1b' && length > 0) {
        break;
      }
      ++length;
      if (pending_[length - 1] == '\x1b') {
        break;
      }
    }
    text = pending_.substr(0, length);
    while (FindInvalidUtf8(text) != std::string::npos && text.size() == pending_.size() &&
           text.size() < 4 && Fill(kEscapeMilliseconds)) {
      text = pending_.substr(0, length = std::min<std::size_t>(pending_.size(), 4));
    }
    const std::size_t bad = FindInvalidUtf8(text);
    if (bad != std::string::npos && bad > 0) {
      length = bad;
      text.resize(bad);
    }
    pending_.erase(0, length);
    std::erase_if(text, [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
    });
    return !text.empty();
  }

  const std::atomic<bool>* interrupted_;
  std::string pending_;
  bool fresh_ = false;
  bool pasting_ = false;
  bool pasted_line_end_ = false;
  bool ended_ = false;
};

// While it lives a signal makes no write fail: libedit writes to a stream, which would be in error
// for good. poll() returns after a signal all the same.
class RestartedWrites {
 public:
  RestartedWrites() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      sigaction(kSignals[i], nullptr, &before_[i]);
      struct sigaction restarting = before_[i];
      restarting.sa_flags |= SA_RESTART;
      sigaction(kSignals[i], &restarting, nullptr);
    }
  }
  ~RestartedWrites() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      sigaction(kSignals[i], &before_[i], nullptr);
    }
  }
  RestartedWrites(const RestartedWrites&) = delete;
  RestartedWrites& operator=(const RestartedWrites&) = delete;

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};
  std::array<struct sigaction, kSignals.size()> before_{};
};

}  // namespace

struct LineEditor::Impl {
  explicit Impl(Options given) : options(std::move(given)), keyboard(options.interrupted) {}

  Options options;
  Keyboard keyboard;
  LineReader plain;
  EditLine* edit = nullptr;
  HistoryW* history = nullptr;
  bool keep_history = true;
  bool continued = false;  // the prompt sign of a further line of a message
  bool interrupted = false;
  winsize size{};

  static Impl& Of(EditLine* edit) {
    void* data = nullptr;
    el_wget(edit, EL_CLIENTDATA, &data);
    return *static_cast<Impl*>(data);
  }

  static wchar_t* Prompt(EditLine* edit) {
    static std::wstring first = L">>> ";
    static std::wstring further = L"... ";
    return Of(edit).continued ? further.data() : first.data();
  }

  // What libedit calls for each key.
  static int GetCharacter(EditLine* edit, wchar_t* out) {
    Impl& impl = Of(edit);
    char32_t character = 0;
    std::string text;
    while (true) {
      const Keyboard::Key key = impl.keyboard.Next(character, text);
      impl.FollowSize();
      switch (key) {
        case Keyboard::Key::kCharacter:
          *out = static_cast<wchar_t>(character);
          return 1;
        case Keyboard::Key::kPasted:
          el_winsertstr(edit, ToWide(text).c_str());
          el_wset(edit, EL_REFRESH);
          break;
        case Keyboard::Key::kEnd:
          return 0;
        case Keyboard::Key::kInterrupted:
          impl.interrupted = true;
          return -1;
      }
    }
  }

  static unsigned char Complete(EditLine* edit, wint_t /*key*/) { return Of(edit).CompleteWord(); }

  void FollowSize() {
    winsize now{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &now) == 0 &&
        (now.ws_col != size.ws_col || now.ws_row != size.ws_row)) {
      size = now;
      el_resize(edit);
    }
  }

  unsigned char CompleteWord() const {
    const LineInfoW* line = el_wline(edit);
    const std::string before =
        ToUtf8({line->buffer, static_cast<std::size_t>(line->cursor - line->buffer)});
    if (!options.complete) {
      return CC_ERROR;
    }
    const Completions found = options.complete(before);
    if (found.words.empty() || found.from > before.size()) {
      return CC_ERROR;
    }
    std::string common = CommonBeginning(found.words);
    const std::string typed = before.substr(found.from);
    if (found.words.size() == 1 && !common.ends_with('/')) {
      common += ' ';
    }
    if (common.size() > typed.size() && common.starts_with(typed)) {
      el_winsertstr(edit, ToWide(std::string_view(common).substr(typed.size())).c_str());
      return CC_REFRESH;
    }
    std::string list = "\n";
    for (const std::string& word : found.words) {
      list += word + "  ";
    }
    WriteNow(list + "\n", STDOUT_FILENO);
    return CC_REDISPLAY;
  }

  void Open() {
    // libedit asks the locale how wide characters are.
    if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr) {
      std::setlocale(LC_CTYPE, "");
    }
    edit = el_init("tandem", stdin, stdout, stderr);
    if (edit == nullptr) {
      return;
    }
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    el_wset(edit, EL_CLIENTDATA, this);
    el_wset(edit, EL_PROMPT, &Prompt);
    el_wset(edit, EL_EDITOR, L"emacs");
    el_wset(edit, EL_SIGNAL, 0);
    el_wset(edit, EL_GETCFN, &GetCharacter);
    el_wset(edit, EL_ADDFN, L"tandem-complete", L"Complete the word", &Complete);
    el_wset(edit, EL_BIND, L"^I", L"tandem-complete", nullptr);
    el_wset(edit, EL_BIND, L"^R", L"em-inc-search-prev", nullptr);
    history = history_winit();
    HistEventW event;
    if (history != nullptr) {
      history_w(history, &event, H_SETSIZE, kHistoryLength);
      history_w(history, &event, H_SETUNIQUE, 1);
      el_wset(edit, EL_HIST, history_w, history);
      if (!options.history_file.empty()) {
        history_w(history, &event, H_LOAD, options.history_file.c_str());
      }
    }
  }

  void Remember(const std::string& message) {
    if (history == nullptr || !keep_history || message.empty()) {
      return;
    }
    HistEventW event;
    history_w(history, &event, H_ENTER, ToWide(message).c_str());
    if (!options.history_file.empty()) {
      SaveHistory();
    }
  }

  // Through a file beside it, so that it is never half written. What cannot be saved is not worth
  // stopping a conversation for.
  void SaveHistory() {
    std::error_code ignored;
    std::filesystem::create_directories(options.history_file.parent_path(), ignored);
    const std::string part = options.history_file.string() + ".part";
    const mode_t mask = umask(077);
    HistEventW event;
    const int saved = history_w(history, &event, H_SAVE, part.c_str());
    umask(mask);
    if (saved >= 0) {
      std::filesystem::rename(part, options.history_file, ignored);
    }
  }

  void Close() {
    if (history != nullptr) {
      history_wend(history);
    }
    if (edit != nullptr) {
      el_end(edit);
    }
  }

  // One line, with whether its end was pasted. Nothing at the end or after a signal.
  std::optional<std::string> Line(std::string_view initial, bool& pasted_end) {
    interrupted = false;
    keyboard.Begin();
    if (!initial.empty()) {
      el_wpush(edit, ToWide(initial).c_str());
    }
    const RestartedWrites restarted;
    int count = 0;
    const wchar_t* line = el_wgets(edit, &count);
    if (line == nullptr || count <= 0) {
      return std::nullopt;
    }
    pasted_end = keyboard.pasted_line_end();
    std::string text = ToUtf8({line, static_cast<std::size_t>(count)});
    if (text.ends_with('\n')) {
      text.pop_back();
    }
    return text;
  }
};

LineEditor::LineEditor(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {
  if (impl_->options.editing) {
    impl_->Open();
  }
}

LineEditor::~LineEditor() {
  impl_->Close();
}

void LineEditor::KeepHistory(bool keep) {
  impl_->keep_history = keep;
}

LineEditor::Event LineEditor::Next(std::string& message, std::string_view initial) {
  constexpr std::string_view kPasteOn = "\x1b[?2004h";
  constexpr std::string_view kPasteOff = "\x1b[?2004l";
  MessageLines lines;
  const bool editing = impl_->edit != nullptr;
  if (editing) {
    WriteNow(kPasteOn, STDOUT_FILENO);
  }
  Event event = Event::kMessage;
  for (bool complete = false; !complete;) {
    impl_->continued = !lines.empty();
    bool pasted_end = false;
    std::optional<std::string> line;
    if (editing) {
      line = impl_->Line(lines.empty() ? initial : std::string_view(), pasted_end);
      if (!line.has_value()) {
        event = impl_->interrupted ? Event::kInterrupted : Event::kEnd;
      }
    } else {
      WriteNow(lines.empty() ? ">>> " : "... ", STDOUT_FILENO);
      std::string text;
      const LineReader::Event got = impl_->plain.Next(text);
      if (got == LineReader::Event::kLine) {
        line = std::move(text);
      }
      event = got == LineReader::Event::kInterrupted ? Event::kInterrupted : Event::kEnd;
    }
    if (!line.has_value()) {
      break;
    }
    event = Event::kMessage;
    complete = lines.Push(*line, pasted_end);
  }
  if (editing) {
    WriteNow(kPasteOff, STDOUT_FILENO);
  }
  message = lines.Take();
  if (event == Event::kMessage) {
    impl_->Remember(message);
  }
  return event;
}

}  // namespace tandem
