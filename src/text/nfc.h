#pragma once

#include <string>
#include <string_view>

namespace tandem::text {

/// Whether `text` is certainly in Unicode Normalization Form C (UAX #15, section 9): false means
/// perhaps not. One pass, no allocation.
bool IsSurelyNfc(std::string_view text);

/// `text` in Normalization Form C, Unicode 15. Ill-formed bytes are kept as they are, and nothing
/// composes across them. Linear in the text but for the sorting of combining marks.
/// Differs from the reference for characters younger than Unicode 9 (98 marks of rare scripts, and
/// U+11938): Hugging Face's tokenizers 0.23 still normalises by Unicode 9 and leaves them in place.
std::string ToNfc(std::string_view text);

}  // namespace tandem::text
