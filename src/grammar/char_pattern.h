#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "grammar/char_automaton.h"

namespace tandem::grammar {

/// Steps that compiling the patterns of one schema may take.
inline constexpr std::size_t kPatternWork = 30'000'000;

/// Compiles a regular expression of JSON Schema (ECMA-262, with the u flag's view of characters).
/// Understood: characters, `.`, classes [..] with ranges and ^, \d \D \w \W \s \S, the escapes
/// \n \r \t \f \v \0 \xHH \uHHHH \u{H..} and escaped punctuation, groups (..) and (?:..), `|`, the
/// quantifiers * + ? {m} {m,} {m,n} (also lazy, which makes no difference here), and ^ and $ at the
/// ends of the expression or of an alternative of it. As in JSON Schema an expression without ^
/// or $ may be found anywhere in the text.
///
/// Unsupported names what else it meets (look-around, back references, named groups, \b, \p) with
/// its byte; so it is when more than a few thousand states are needed, or more than `work` steps,
/// from which the steps are taken. InvalidArgument for malformed expressions and those that match
/// nothing.
Result<CharAutomaton> CompilePattern(std::string_view pattern, std::size_t& work);

/// As above, for our own patterns: valid, and always from one end to the other.
CharAutomaton CompileWholePattern(std::string_view pattern);

/// The strings that are none of `names`.
CharAutomaton AllBut(const std::vector<std::string>& names);

}  // namespace tandem::grammar
