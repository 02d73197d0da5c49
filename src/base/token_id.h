#pragma once

#include <cstdint>

namespace tandem {

/// Index of a row of a vocabulary. Negative values are never valid.
using TokenId = std::int32_t;

}  // namespace tandem
