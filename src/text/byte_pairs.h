#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/token_id.h"

namespace tandem::text {

/// The merges of a byte-pair vocabulary: (left, right) -> rank and product. Open addressing.
/// Immutable once filled; then thread-safe.
class MergeTable {
 public:
  struct Merge {
    std::uint32_t rank = kNoRank;  // lower ranks merge first
    TokenId product = 0;
  };
  static constexpr std::uint32_t kNoRank = UINT32_MAX;

  /// Empty, with room for `count` merges.
  explicit MergeTable(std::size_t count);

  /// Enters a merge. A pair that is already there keeps its first rank and product.
  void Insert(TokenId left, TokenId right, Merge merge);

  /// The merge of this pair; its rank is kNoRank when the pair does not merge.
  Merge Find(TokenId left, TokenId right) const;

 private:
  struct Slot {
    TokenId left = -1;
    TokenId right = -1;
    Merge merge;  // kNoRank: empty
  };

  std::size_t Home(TokenId left, TokenId right) const;

  std::vector<Slot> slots_;  // a power of two, at most half full
  std::size_t mask_;
};

/// Byte-pair encoding of one pre-token: from single bytes, joins the adjacent pair of lowest rank
/// until none is left, the leftmost of equal pairs first (arXiv:1508.07909, section 3.2, with the
/// learned order of merges). Immutable; thread-safe.
class BytePairs {
 public:
  /// byte_ids[b]: the token of the single byte b.
  BytePairs(const std::array<TokenId, 256>& byte_ids, MergeTable merges);

  /// Appends the tokens of `piece` to `out`. O(n log n) in its bytes, which are fewer than 2^32.
  void Encode(std::string_view piece, std::vector<TokenId>& out) const;

 private:
  void EncodeShort(std::string_view piece, std::vector<TokenId>& out) const;
  void EncodeLong(std::string_view piece, std::vector<TokenId>& out) const;

  std::array<TokenId, 256> byte_ids_;
  MergeTable merges_;
};

}  // namespace tandem::text
