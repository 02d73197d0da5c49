#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tandem {

/// The candidate that `word` was probably meant to be: fewest changed, missing, added or swapped
/// neighbouring characters, and at most a third of the word. Empty when none is close.
std::string ClosestName(std::string_view word, std::span<const std::string> candidates);

}  // namespace tandem
