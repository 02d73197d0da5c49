#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/token_id.h"

namespace tandem::text {

/// Token text -> id: open addressing over the vocabulary's own strings, no copies. The strings must
/// outlive it. Immutable once filled; then thread-safe.
class TokenMap {
 public:
  /// An empty map over `tokens`, with room for all of them.
  explicit TokenMap(std::span<const std::string_view> tokens);

  /// Enters tokens[id]. When another id already has this text, nothing changes and that id is
  /// returned.
  std::optional<TokenId> Insert(TokenId id);

  /// The id entered with exactly this text.
  std::optional<TokenId> Find(std::string_view text) const;

 private:
  struct Slot {
    std::uint32_t tag = 0;          // upper half of the hash: spares most comparisons of strings
    std::uint32_t id_plus_one = 0;  // 0: empty
  };

  // The slot of `text`, or the empty one where it would go.
  std::size_t SlotOf(std::string_view text, std::uint64_t hash) const;

  std::span<const std::string_view> tokens_;
  std::vector<Slot> slots_;  // a power of two, at most half full
};

}  // namespace tandem::text
