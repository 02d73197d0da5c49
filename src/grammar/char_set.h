#pragma once

#include <initializer_list>
#include <vector>

namespace tandem::grammar {

/// The largest code point.
inline constexpr char32_t kLastChar = 0x10FFFF;

struct CharRange {
  char32_t first = 0;
  char32_t last = 0;

  bool operator==(const CharRange&) const = default;
};

/// A set of characters: Unicode scalar values, so never a surrogate. A value.
class CharSet {
 public:
  CharSet() = default;
  CharSet(std::initializer_list<CharRange> ranges);

  static CharSet All();

  void Add(CharRange range);
  void Add(const CharSet& other);
  CharSet Complement() const;
  CharSet Intersect(const CharSet& other) const;
  bool empty() const { return ranges_.empty(); }
  /// Ascending, with gaps between them.
  const std::vector<CharRange>& ranges() const { return ranges_; }

 private:
  std::vector<CharRange> ranges_;
};

}  // namespace tandem::grammar
