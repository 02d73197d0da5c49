#include "text/token_map.h"

#include <algorithm>
#include <bit>

#include "text/byte_hash.h"

namespace tandem::text {

TokenMap::TokenMap(std::span<const std::string_view> tokens)
    : tokens_(tokens), slots_(std::bit_ceil(std::max<std::size_t>(2 * tokens.size(), 2))) {}

std::size_t TokenMap::SlotOf(std::string_view text, std::uint64_t hash) const {
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  const std::size_t mask = slots_.size() - 1;
  std::size_t i = hash & mask;
  while (slots_[i].id_plus_one != 0 &&
         (slots_[i].tag != tag || tokens_[slots_[i].id_plus_one - 1] != text)) {
    i = (i + 1) & mask;
  }
  return i;
}

std::optional<TokenId> TokenMap::Insert(TokenId id) {
  const std::string_view text = tokens_[static_cast<std::size_t>(id)];
  const std::uint64_t hash = HashBytes(text);
  Slot& slot = slots_[SlotOf(text, hash)];
  if (slot.id_plus_one != 0) {
    return static_cast<TokenId>(slot.id_plus_one - 1);
  }
  slot.tag = static_cast<std::uint32_t>(hash >> 32);
  slot.id_plus_one = static_cast<std::uint32_t>(id) + 1;
  return std::nullopt;
}

std::optional<TokenId> TokenMap::Find(std::string_view text) const {
  const Slot& slot = slots_[SlotOf(text, HashBytes(text))];
  if (slot.id_plus_one == 0) {
    return std::nullopt;
  }
  return static_cast<TokenId>(slot.id_plus_one - 1);
}

}  // namespace tandem::text
