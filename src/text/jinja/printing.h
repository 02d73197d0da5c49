#pragma once

#include <string>
#include <string_view>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace tandem::jinja {

/// Python's str(value). Characters of strings keep their marks; brackets and quotes of a printed
/// container count as data, since only their contents can be the template's own.
Outcome<MarkedText> Print(Runtime& runtime, const Value& value);

/// Python's repr(value), marked likewise.
Outcome<MarkedText> Repr(Runtime& runtime, const Value& value);

/// Appends str(value) to `out`.
Raised PrintTo(Runtime& runtime, const Value& value, MarkedText& out);

/// The shortest decimal that reads back as `value`, laid out as Python's repr(float).
std::string FloatRepr(double value);

/// repr() of a plain string, for messages.
std::string QuotedRepr(std::string_view text);

/// `text` with & < > ' " replaced by HTML entities (markupsafe.escape); marks follow the character.
MarkedText EscapeHtml(const MarkedText& text);
/// markupsafe.escape(value): markup stays, everything else is printed and escaped.
Outcome<Value> Escape(Runtime& runtime, const Value& value);
/// markupsafe.soft_str: a string stays as it is, markup included; else str(value).
Outcome<Value> SoftString(Runtime& runtime, const Value& value);

}  // namespace tandem::jinja
