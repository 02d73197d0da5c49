#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tandem::text {

// Byte-level vocabularies show each byte as one printable character, so that every entry is valid
// UTF-8 (GPT-2's bytes_to_unicode): bytes 21-7E, A1-AC and AE-FF (hex) stand for themselves, the
// other 68 take U+0100, U+0101, … in order. A space is shown as U+0120, a line feed as U+010A.

/// The character that shows `byte`, in UTF-8.
std::string ByteCharacter(unsigned char byte);

/// Appends to `out` the bytes that `shown` stands for. False when a character is not of the
/// alphabet; then `out` is as before.
bool AppendShownBytes(std::string_view shown, std::string& out);

}  // namespace tandem::text
