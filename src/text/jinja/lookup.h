#pragma once

#include <string_view>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace tandem::jinja {

/// `value.name` in the sandbox: a method or attribute first, then value["name"]. What is missing
/// or refused gives an undefined value; only lookups on an undefined value fail.
Outcome<Value> GetAttribute(Runtime& runtime, const Value& value, std::string_view name);

/// `value[key]` in the sandbox: the element first, then an attribute when the key is a string.
Outcome<Value> GetItem(Runtime& runtime, const Value& value, const Value& key);

/// True when `value.name` exists without looking at elements (hasattr).
Outcome<bool> HasAttribute(Runtime& runtime, const Value& value, std::string_view name);

// The methods of the built-in types.
BuiltinTable TextMethods();
BuiltinTable ListMethods();
BuiltinTable TupleMethods();
BuiltinTable DictMethods();
BuiltinTable IntMethods();
BuiltinTable FloatMethods();

}  // namespace tandem::jinja
