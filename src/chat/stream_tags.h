#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/token_id.h"
#include "text/tokenizer.h"

namespace tandem {

// What finding tags takes in text that comes piece by piece.

/// Around thinking, in both families: tokens of their own, or ordinary text.
inline constexpr std::string_view kThinkOpen = "<think>";
inline constexpr std::string_view kThinkClose = "</think>";

/// The length of the longest end of `text` that begins `tag` and is not all of it: what must be
/// held back because the tag may be on its way. tag: not empty.
std::size_t PartialTag(std::string_view text, std::string_view tag);

/// The added token (control or user-defined) that is spelt so.
std::optional<TokenId> AddedToken(const text::Tokenizer& tokenizer, std::string_view text);

}  // namespace tandem
