#pragma once

#include <string>
#include <vector>

namespace tandem {

/// One thing that was looked at.
struct CheckItem {
  enum class Verdict { kOk, kNote, kFailed };
  Verdict verdict = Verdict::kOk;
  std::string name;  // "hash", "tensors", ...
  std::string text;  // one line
};

/// What `tandem check` found, in the order it looked. A value.
class CheckReport {
 public:
  void Ok(std::string name, std::string text);
  /// Worth knowing, nobody's fault.
  void Note(std::string name, std::string text);
  void Failed(std::string name, std::string text);

  const std::vector<CheckItem>& items() const { return items_; }
  bool ok() const;
  /// One line for each item: "ok      tensors    ...".
  std::string Text() const;

 private:
  std::vector<CheckItem> items_;
};

/// "ok", "note", "FAILED".
const char* VerdictName(CheckItem::Verdict verdict);

}  // namespace tandem
