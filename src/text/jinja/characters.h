#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tandem::jinja {

// Python's view of characters (str.isspace and friends, Unicode as utf8proc knows it).

bool IsSpace(char32_t c);
/// A character at which str.splitlines breaks.
bool IsLineBreak(char32_t c);
bool IsAlpha(char32_t c);
bool IsDecimal(char32_t c);
bool IsDigit(char32_t c);
bool IsNumeric(char32_t c);
bool IsUpper(char32_t c);
bool IsLower(char32_t c);
bool IsTitleCase(char32_t c);
/// Has upper- and lower-case forms, or is one.
bool IsCased(char32_t c);
/// Printed as itself by repr().
bool IsPrintable(char32_t c);
/// [A-Za-z0-9_] or a letter, mark or digit of another script: the \w of Python's re.
bool IsWord(char32_t c);

/// Appends the full upper-, lower- or title-case mapping of `c` (one character may become several).
void AppendUpper(char32_t c, std::string& out);
void AppendLower(char32_t c, std::string& out);
void AppendTitle(char32_t c, std::string& out);
/// Appends the case folding of `c`.
void AppendFolded(char32_t c, std::string& out);

/// The number of characters in well-formed UTF-8.
std::size_t CountCharacters(std::string_view text);
/// The byte offset of character number `index` (or the end), counted from byte `from`.
std::size_t SkipCharacters(std::string_view text, std::size_t from, std::size_t count);
/// The bytes of `text` without white space at either end: offsets of the rest.
struct Trimmed {
  std::size_t begin = 0;
  std::size_t end = 0;
};
Trimmed TrimSpace(std::string_view text, bool left, bool right);
/// The byte offset at which the character before byte `end` begins; `end` > 0.
std::size_t PreviousCharacter(std::string_view text, std::size_t end);

}  // namespace tandem::jinja
