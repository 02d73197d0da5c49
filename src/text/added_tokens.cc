#include "text/added_tokens.h"

#include <algorithm>
#include <utility>

namespace tandem::text {
namespace {

unsigned char FirstByte(std::string_view text) {
  return static_cast<unsigned char>(text[0]);
}

}  // namespace

AddedTokens::AddedTokens(std::vector<Entry> entries) : entries_(std::move(entries)) {
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return std::pair(FirstByte(a.text), b.text.size()) <
           std::pair(FirstByte(b.text), a.text.size());
  });
  for (std::size_t begin = 0; begin < entries_.size();) {
    std::size_t end = begin;
    while (end < entries_.size() && entries_[end].text[0] == entries_[begin].text[0]) {
      ++end;
    }
    starting_with_[FirstByte(entries_[begin].text)] =
        std::span(entries_).subspan(begin, end - begin);
    begin = end;
  }
}

std::optional<AddedTokens::Match> AddedTokens::FindFirst(std::string_view text, std::size_t begin,
                                                         std::size_t end) const {
  for (std::size_t i = begin; i < end; ++i) {
    for (const Entry& entry : starting_with_[static_cast<unsigned char>(text[i])]) {
      if (text.substr(i, end - i).starts_with(entry.text)) {
        return Match{
            .begin = i, .end = i + entry.text.size(), .id = entry.id, .rstrip = entry.rstrip};
      }
    }
  }
  return std::nullopt;
}

}  // namespace tandem::text
