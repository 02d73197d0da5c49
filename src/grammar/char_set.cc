#include "grammar/char_set.h"

#include <algorithm>

namespace tandem::grammar {
namespace {

constexpr CharRange kSurrogates = {0xD800, 0xDFFF};

}  // namespace

CharSet::CharSet(std::initializer_list<CharRange> ranges) {
  for (const CharRange& range : ranges) {
    Add(range);
  }
}

CharSet CharSet::All() {
  return {{0, kLastChar}};
}

void CharSet::Add(CharRange range) {
  range.last = std::min(range.last, kLastChar);
  if (range.first < kSurrogates.first && range.last >= kSurrogates.first) {
    Add({range.first, kSurrogates.first - 1});
    range.first = kSurrogates.first;
  }
  if (range.first >= kSurrogates.first && range.first <= kSurrogates.last) {
    range.first = kSurrogates.last + 1;
  }
  if (range.first > range.last) {
    return;
  }
  auto at = ranges_.begin();
  while (at != ranges_.end() && at->last + 1 < range.first) {
    ++at;
  }
  auto end = at;
  while (end != ranges_.end() && end->first <= range.last + 1) {
    range.first = std::min(range.first, end->first);
    range.last = std::max(range.last, end->last);
    ++end;
  }
  at = ranges_.erase(at, end);
  ranges_.insert(at, range);
}

void CharSet::Add(const CharSet& other) {
  for (const CharRange& range : other.ranges_) {
    Add(range);
  }
}

CharSet CharSet::Complement() const {
  CharSet out;
  char32_t next = 0;
  for (const CharRange& range : ranges_) {
    if (range.first > next) {
      out.Add({next, range.first - 1});
    }
    next = range.last + 1;
  }
  if (next <= kLastChar) {
    out.Add({next, kLastChar});
  }
  return out;
}

CharSet CharSet::Intersect(const CharSet& other) const {
  CharSet out;
  for (const CharRange& a : ranges_) {
    for (const CharRange& b : other.ranges_) {
      if (std::max(a.first, b.first) <= std::min(a.last, b.last)) {
        out.Add({std::max(a.first, b.first), std::min(a.last, b.last)});
      }
    }
  }
  return out;
}

}  // namespace tandem::grammar
