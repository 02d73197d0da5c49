#include "kernels/cpu/kv_page.h"

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace tandem::cpu {
namespace {

constexpr std::size_t kScaleBytes = sizeof(std::uint16_t);
template <std::size_t kBytes>
using Size = std::integral_constant<std::size_t, kBytes>;

/// A row is blocks of a scale, if any, and numbers, which keys scatter in units.
struct RowShape {
  std::size_t blocks;
  std::size_t scale_bytes;   // of a block
  std::size_t number_bytes;  // of a block
  std::size_t unit_bytes;

  std::size_t NumbersOf(std::size_t block) const {
    return block * (scale_bytes + number_bytes) + scale_bytes;
  }
  /// From the start of a part.
  std::size_t numbers_begin() const { return blocks * scale_bytes * kKvPageTokens; }
};

RowShape ShapeOf(KvType type, std::size_t head_dim) {
  const std::size_t row_bytes = KvRowBytes(type, head_dim);
  const std::size_t length = KvBlockLength(type);
  if (length == 1) {
    return {1, 0, row_bytes, row_bytes / head_dim};
  }
  const std::size_t blocks = head_dim / length;
  return {blocks, kScaleBytes, row_bytes / blocks - kScaleBytes, 1};
}

// copy(offset in the row, offset in the part, bytes) for every scale of a row.
template <typename Copy>
void ForScales(const RowShape& shape, std::size_t slot, Copy copy) {
  for (std::size_t b = 0; shape.scale_bytes != 0 && b < shape.blocks; ++b) {
    copy(shape.NumbersOf(b) - kScaleBytes, (b * kKvPageTokens + slot) * kScaleBytes,
         Size<kScaleBytes>());
  }
}

template <std::size_t kUnit, typename Copy>
void ForUnits(const RowShape& shape, std::size_t slot, Copy copy) {
  std::size_t at = shape.numbers_begin() + slot * kUnit;
  for (std::size_t b = 0; b < shape.blocks; ++b) {
    const std::size_t numbers = shape.NumbersOf(b);
    for (std::size_t i = 0; i < shape.number_bytes; i += kUnit, at += kUnit * kKvPageTokens) {
      copy(numbers + i, at, Size<kUnit>());
    }
  }
}

template <typename Copy>
void ForKey(KvType type, std::size_t head_dim, std::size_t slot, Copy copy) {
  const RowShape shape = ShapeOf(type, head_dim);
  ForScales(shape, slot, copy);
  switch (shape.unit_bytes) {
    case 1:
      ForUnits<1>(shape, slot, copy);
      break;
    case 2:
      ForUnits<2>(shape, slot, copy);
      break;
    default:
      ForUnits<4>(shape, slot, copy);
      break;
  }
}

template <typename Copy>
void ForValue(KvType type, std::size_t head_dim, std::size_t slot, Copy copy) {
  const RowShape shape = ShapeOf(type, head_dim);
  ForScales(shape, slot, copy);
  for (std::size_t b = 0; b < shape.blocks; ++b) {
    copy(shape.NumbersOf(b), shape.numbers_begin() + (slot * shape.blocks + b) * shape.number_bytes,
         shape.number_bytes);
  }
}

auto ToPart(const std::byte* row, std::byte* part) {
  return [row, part](std::size_t in_row, std::size_t in_part, auto bytes) {
    std::memcpy(part + in_part, row + in_row, bytes);
  };
}
auto ToRow(const std::byte* part, std::byte* row) {
  return [row, part](std::size_t in_row, std::size_t in_part, auto bytes) {
    std::memcpy(row + in_row, part + in_part, bytes);
  };
}

}  // namespace

void PlaceKey(KvType type, const std::byte* row, std::size_t head_dim, std::size_t slot,
              std::byte* part) {
  ForKey(type, head_dim, slot, ToPart(row, part));
}
void PlaceValue(KvType type, const std::byte* row, std::size_t head_dim, std::size_t slot,
                std::byte* part) {
  ForValue(type, head_dim, slot, ToPart(row, part));
}
void TakeKey(KvType type, const std::byte* part, std::size_t head_dim, std::size_t slot,
             std::byte* row) {
  ForKey(type, head_dim, slot, ToRow(part, row));
}
void TakeValue(KvType type, const std::byte* part, std::size_t head_dim, std::size_t slot,
               std::byte* row) {
  ForValue(type, head_dim, slot, ToRow(part, row));
}

}  // namespace tandem::cpu
