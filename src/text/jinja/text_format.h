#pragma once

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace tandem::jinja {

/// format % arguments, as Python formats strings. Inserted texts keep their marks.
Outcome<Value> FormatPercent(Runtime& runtime, const Value& format, const Value& arguments);

/// format.format(*arguments, **keywords), with the sandbox's attribute lookups in fields.
Outcome<Value> FormatBraces(Runtime& runtime, const Value& format, const Arguments& arguments);

/// format.format_map(mapping).
Outcome<Value> FormatBraces(Runtime& runtime, const Value& format, const Value& mapping);

}  // namespace tandem::jinja
