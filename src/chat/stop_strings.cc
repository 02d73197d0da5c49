#include "chat/stop_strings.h"

#include <algorithm>
#include <utility>

#include "chat/stream_tags.h"

namespace tandem {

StopStrings::StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string StopStrings::Push(std::string_view text) {
  if (matched_) {
    return {};
  }
  held_ += text;
  // The match that is complete first wins, so that it does not matter how the text is cut.
  std::size_t begin = std::string::npos;
  std::size_t end = std::string::npos;
  for (const std::string& stop : stops_) {
    const std::size_t at = held_.find(stop);
    if (at == std::string::npos) {
      continue;
    }
    if (at + stop.size() < end || (at + stop.size() == end && at < begin)) {
      begin = at;
      end = at + stop.size();
    }
  }
  if (begin != std::string::npos) {
    matched_ = true;
    std::string shown = held_.substr(0, begin);
    held_.clear();
    return shown;
  }
  // The longest end of the text that begins a stop string stays.
  std::size_t keep = 0;
  for (const std::string& stop : stops_) {
    keep = std::max(keep, PartialTag(held_, stop));
  }
  std::string shown = held_.substr(0, held_.size() - keep);
  held_.erase(0, shown.size());
  return shown;
}

std::string StopStrings::Flush() {
  return std::exchange(held_, {});
}

}  // namespace tandem
