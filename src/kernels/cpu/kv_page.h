#pragma once

#include <cstddef>

#include "kernels/ops.h"

namespace tandem::cpu {

// How the 64 keys and the 64 values of one KV head lie in their part of a page. A kernel's lanes
// are tokens where it multiplies keys and columns where it adds up values, so that no sum crosses
// lanes and both are read from the first byte to the last:
//   keys    scales [block of 32 columns][token], numbers [column][token]
//   values  scales [block of 32 columns][token], numbers [token][column]
// Scales (binary16) only for q8_0 and q4_0. Of q4_0, columns 2 i and 2 i + 1 share a byte, the
// lower half first. A row is what KernelTable::kv_store makes of one key or value.

/// Puts one row into token `slot` (below kKvPageTokens) of a part.
void PlaceKey(KvType type, const std::byte* row, std::size_t head_dim, std::size_t slot,
              std::byte* part);
void PlaceValue(KvType type, const std::byte* row, std::size_t head_dim, std::size_t slot,
                std::byte* part);
/// The row of token `slot`.
void TakeKey(KvType type, const std::byte* part, std::size_t head_dim, std::size_t slot,
             std::byte* row);
void TakeValue(KvType type, const std::byte* part, std::size_t head_dim, std::size_t slot,
               std::byte* row);

}  // namespace tandem::cpu
