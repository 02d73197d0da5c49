#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace tandem::jinja {

// Python's string operations that filters and methods share. Results keep the marks of the
// characters they take over, and are markup when the text is.

/// text.strip(chars) at the sides asked for; `chars` missing or None means white space.
Outcome<Value> Strip(Runtime& runtime, const Value& text, const Value& chars, bool left,
                     bool right);
/// text.replace(old, new, count); a negative count means all.
Outcome<Value> Replace(Runtime& runtime, const Value& text, const Value& old_text,
                       const Value& new_text, Int count);
/// text.split(separator, most), from the right when `from_right`; no separator means white space.
Outcome<std::vector<Value>> Split(Runtime& runtime, const Value& text, const Value& separator,
                                  Int most, bool from_right);
/// text.splitlines(keepends).
Outcome<std::vector<Value>> SplitLines(Runtime& runtime, const Value& text, bool keep_ends);
/// separator.join(parts): the parts must be strings already.
Outcome<Value> Join(Runtime& runtime, const Value& separator, const std::vector<Value>& parts);

/// kTitle is str.title; kWords is the title filter, whose words begin after white space or -({[<.
enum class CaseChange { kUpper, kLower, kCapitalize, kTitle, kWords, kSwap, kFold };
Outcome<Value> ChangeCase(Runtime& runtime, const Value& text, CaseChange change);

/// text.center(width, fill) and its neighbours; `fill` is one character.
enum class Justify { kLeft, kCenter, kRight };
Outcome<Value> JustifyText(Runtime& runtime, const Value& text, Int width, const Value& fill,
                           Justify justify);

/// str.islower and str.isupper.
bool AllLower(std::string_view text);
bool AllUpper(std::string_view text);

/// The part [begin, end) of a string's bytes, as a string of its kind.
Value Part(const Value& text, std::size_t begin, std::size_t end);

}  // namespace tandem::jinja
