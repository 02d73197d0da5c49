#pragma once

#include <string_view>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace tandem::jinja {

/// The filter `name`, or null. Its input is the call's `self`.
const Builtin* FindFilter(std::string_view name);
/// The test `name` of `is`, or null. Its subject is the call's `self`; it gives a bool.
const Builtin* FindTest(std::string_view name);

/// What `map` and its kin do with a name: call the filter or test, or fail as jinja2 does.
Outcome<Value> CallFilter(Runtime& runtime, const Value& name, const Value& input,
                          const Arguments& arguments);
Outcome<bool> CallTest(Runtime& runtime, const Value& name, const Value& subject,
                       const Arguments& arguments);

/// item.a.b.0 of a dotted attribute path or an index; None or missing gives the item itself.
/// An undefined step becomes `fallback` unless that is missing or None.
Outcome<Value> FollowPath(Runtime& runtime, Value item, const Value& path, const Value& fallback);
/// A string in lower case, everything else as it is: how filters compare without case.
Outcome<Value> IgnoreCase(Runtime& runtime, const Value& value);

// The tables behind FindFilter.
BuiltinTable TextFilters();
BuiltinTable MarkupFilters();
BuiltinTable NumberFilters();
BuiltinTable SequenceFilters();
BuiltinTable SelectionFilters();
BuiltinTable OrderFilters();

}  // namespace tandem::jinja
