#include "text/jinja/marked_text.h"

#include <algorithm>

#include "base/check.h"

namespace tandem::jinja {

void MarkedText::Append(std::string_view bytes, bool trusted) {
  if (bytes.empty()) {
    return;
  }
  if (bytes_.empty()) {
    first_trusted_ = trusted;
  } else {
    const bool last_trusted = first_trusted_ == (flips_.size() % 2 == 0);
    if (last_trusted != trusted) {
      flips_.push_back(bytes_.size());
    }
  }
  bytes_.append(bytes);
}

void MarkedText::AppendRange(const MarkedText& other, std::size_t begin, std::size_t end) {
  TANDEM_DCHECK(begin <= end && end <= other.size(), "a range of the other text");
  auto flip = std::upper_bound(other.flips_.begin(), other.flips_.end(), begin);
  const auto passed = flip - other.flips_.begin();
  bool trusted = other.first_trusted_ == (passed % 2 == 0);
  const std::string_view bytes = other.bytes_;
  while (begin < end) {
    const std::size_t stop = flip == other.flips_.end() ? end : std::min<std::size_t>(*flip++, end);
    Append(bytes.substr(begin, stop - begin), trusted);
    begin = stop;
    trusted = !trusted;
  }
}

MarkedText MarkedText::Substr(std::size_t begin, std::size_t end) const {
  MarkedText part;
  part.AppendRange(*this, begin, end);
  return part;
}

bool MarkedText::TrustedAt(std::size_t offset) const {
  TANDEM_DCHECK(offset < size(), "a byte of the text");
  const auto passed = std::upper_bound(flips_.begin(), flips_.end(), offset) - flips_.begin();
  return first_trusted_ == (passed % 2 == 0);
}

std::vector<MarkedText::Run> MarkedText::Runs() const {
  std::vector<Run> runs;
  bool trusted = first_trusted_;
  std::size_t begin = 0;
  for (const std::size_t flip : flips_) {
    runs.push_back({begin, flip, trusted});
    begin = flip;
    trusted = !trusted;
  }
  if (begin < size()) {
    runs.push_back({begin, size(), trusted});
  }
  return runs;
}

}  // namespace tandem::jinja
