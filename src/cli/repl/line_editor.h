#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

/// What may stand at the cursor: `from` is where the completed word begins in the line.
struct Completions {
  std::size_t from = 0;
  std::vector<std::string> words;
};

/// Messages typed at a terminal, with the editing keys of libedit (its own Emacs bindings), history
/// and completion. A message of several lines stands between """ and """, or is pasted: what a
/// terminal marks as pasted (bracketed paste) is taken as it is, its line ends included. Reads file
/// descriptor 0 itself, so nothing else may. Single-threaded; at most one may live.
class LineEditor {
 public:
  struct Options {
    bool editing = true;  // false for a terminal without cursor movement: plain lines
    std::filesystem::path history_file = {};  // empty: none is read or written
    /// Set by a signal that ends the waiting; null: none does.
    const std::atomic<bool>* interrupted = nullptr;
    /// Of a line up to the cursor.
    std::function<Completions(std::string_view line)> complete = {};
  };
  enum class Event {
    kMessage,
    kEnd,          // Ctrl-D on an empty line, or the terminal is gone
    kInterrupted,  // a signal came first, and what had been typed is gone
  };

  explicit LineEditor(Options options);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  /// Waits for a message. `initial` is in the line to begin with. Invalid UTF-8 becomes U+FFFD.
  Event Next(std::string& message, std::string_view initial = {});
  /// Whether messages are remembered from now on, here and in the history file.
  void KeepHistory(bool keep);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Puts together the lines of one message: `"""` opens a block that the next `"""` closes.
/// Single-threaded.
class MessageLines {
 public:
  /// Takes a line; true when the message is complete. `more`: the line's end was pasted, so the
  /// message goes on.
  bool Push(std::string_view line, bool more);
  /// The message; it then starts anew.
  std::string Take();
  /// Nothing is begun.
  bool empty() const { return lines_ == 0; }

 private:
  std::string text_;
  std::size_t lines_ = 0;
  bool in_block_ = false;
};

}  // namespace tandem
