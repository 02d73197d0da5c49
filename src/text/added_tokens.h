#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/token_id.h"

namespace tandem::text {

/// Finds the added tokens (<|im_start|>, <think>, …) in a text. Their strings must outlive it.
/// Immutable once filled; then thread-safe.
class AddedTokens {
 public:
  struct Entry {
    std::string_view text;  // not empty
    TokenId id = 0;
    bool rstrip = false;  // swallows the white space that follows it
  };
  struct Match {
    std::size_t begin = 0;
    std::size_t end = 0;  // before any rstrip
    TokenId id = 0;
    bool rstrip = false;
  };

  explicit AddedTokens(std::vector<Entry> entries);
  AddedTokens(AddedTokens&&) = default;
  AddedTokens& operator=(AddedTokens&&) = default;
  AddedTokens(const AddedTokens&) = delete;  // starting_with_ points into entries_
  AddedTokens& operator=(const AddedTokens&) = delete;

  /// The leftmost match inside bytes [begin, end) of `text`, the longest of those that start there.
  std::optional<Match> FindFirst(std::string_view text, std::size_t begin, std::size_t end) const;

 private:
  std::vector<Entry> entries_;  // by first byte, then the longest first
  std::array<std::span<const Entry>, 256> starting_with_;
};

}  // namespace tandem::text
