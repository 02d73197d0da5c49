#include "check/report.h"

#include <algorithm>
#include <utility>

#include "base/format.h"

namespace tandem {

void CheckReport::Ok(std::string name, std::string text) {
  items_.push_back({CheckItem::Verdict::kOk, std::move(name), std::move(text)});
}
void CheckReport::Note(std::string name, std::string text) {
  items_.push_back({CheckItem::Verdict::kNote, std::move(name), std::move(text)});
}
void CheckReport::Failed(std::string name, std::string text) {
  items_.push_back({CheckItem::Verdict::kFailed, std::move(name), std::move(text)});
}

bool CheckReport::ok() const {
  return std::none_of(items_.begin(), items_.end(), [](const CheckItem& item) {
    return item.verdict == CheckItem::Verdict::kFailed;
  });
}

const char* VerdictName(CheckItem::Verdict verdict) {
  switch (verdict) {
    case CheckItem::Verdict::kOk:
      return "ok";
    case CheckItem::Verdict::kNote:
      return "note";
    case CheckItem::Verdict::kFailed:
      return "FAILED";
  }
  return "";
}

std::string CheckReport::Text() const {
  std::string out;
  for (const CheckItem& item : items_) {
    out += Format("{:<8}{:<13}{}\n", VerdictName(item.verdict), item.name, item.text);
  }
  return out;
}

}  // namespace tandem
