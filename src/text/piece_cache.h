#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <string_view>
#include <vector>

#include "text/byte_hash.h"

namespace tandem::text {

/// Where the ids of the pieces seen so far stand in the output of one Encode call. One entry per
/// slot: a piece whose hash falls on another's slot replaces it, so memory and time are bounded
/// whatever the text is. Single-threaded; the pieces must outlive it.
class PieceCache {
 public:
  struct Entry {
    std::string_view piece;  // empty: the slot is free
    std::size_t first = 0;   // index of its first id in the output
    std::size_t count = 0;
  };

  /// For a text of this size.
  explicit PieceCache(std::size_t text_bytes)
      : entries_(std::bit_ceil(std::clamp<std::size_t>(text_bytes / 8, 16, kMostEntries))) {}

  /// The slot of `piece`; its own only if the entry's piece equals it.
  Entry& EntryFor(std::string_view piece) {
    return entries_[HashBytes(piece) & (entries_.size() - 1)];
  }

 private:
  static constexpr std::size_t kMostEntries = std::size_t{1} << 15;  // 1 MiB of them

  std::vector<Entry> entries_;
};

}  // namespace tandem::text
