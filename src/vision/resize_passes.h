#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "vision/picture.h"

namespace tandem {

/// Samples of the source that one sample of the result sums, with weights times 2^precision below
/// 2^15 in magnitude: an even number of them, the last perhaps zero.
struct ResizeWindow {
  std::size_t first = 0;
  std::size_t count = 0;  // without a last zero
  const std::int16_t* weights = nullptr;
};

/// One output row of the width pass: out[x] = clamp((half + sum_j w_j from[first + j]) >>
/// precision). room: bytes that may be read from `from` on, at least those of the row.
void ResizeRow(std::span<const ResizeWindow> windows, int precision, const std::uint8_t* from,
               std::size_t room, std::uint8_t* out);

/// One output row of the height pass over all bytes of the rows of `from`.
void ResizeColumns(const ResizeWindow& window, int precision, const Picture& from,
                   std::uint8_t* out);

}  // namespace tandem
