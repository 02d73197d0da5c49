#include "chat/stream_tags.h"

#include <algorithm>

namespace tandem {

std::size_t PartialTag(std::string_view text, std::string_view tag) {
  for (std::size_t n = std::min(text.size(), tag.size() - 1); n > 0; --n) {
    if (text.substr(text.size() - n) == tag.substr(0, n)) {
      return n;
    }
  }
  return 0;
}

std::optional<TokenId> AddedToken(const text::Tokenizer& tokenizer, std::string_view text) {
  const std::optional<TokenId> id = tokenizer.Find(text);
  const bool added = id.has_value() && (tokenizer.IsControl(*id) || tokenizer.IsUserDefined(*id));
  return added ? id : std::nullopt;
}

}  // namespace tandem
