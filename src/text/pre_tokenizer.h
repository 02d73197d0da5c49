#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace tandem::text {

/// The rules that cut a text into the pieces within which byte pairs are merged. Each follows a
/// regular expression that the model was trained with; pre_tokenizer.cc quotes them.
enum class PreTokenizer { kQwen35, kGpt4o, kQwen2, kGpt2, kStarcoder };

/// The rules named by the GGUF key tokenizer.ggml.pre, e.g. "qwen35", or nothing for a name that we
/// do not know: guessing would give wrong ids.
std::optional<PreTokenizer> FindPreTokenizer(std::string_view gguf_name);

/// The end of the piece of `text` that starts at byte `begin` < text.size(); always > begin.
/// Calling it again from there walks the whole text in linear time. Ill-formed bytes count as one
/// punctuation character each.
using PieceMatcher = std::size_t (*)(std::string_view text, std::size_t begin);

PieceMatcher MatcherOf(PreTokenizer rules);

}  // namespace tandem::text
