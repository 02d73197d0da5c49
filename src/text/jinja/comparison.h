#pragma once

#include <string_view>
#include <vector>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace tandem::jinja {

enum class Comparison { kEq, kNe, kLt, kLe, kGt, kGe, kIn, kNotIn };

/// One link of a comparison chain, with Python's TypeErrors for values without an order.
Outcome<bool> Compare(Runtime& runtime, Comparison comparison, const Value& a, const Value& b);

/// `item in container`.
Outcome<bool> Contains(Runtime& runtime, const Value& container, const Value& item);

/// Python's sorted(): stable; `keys[i]` orders `items[i]`.
Outcome<std::vector<Value>> SortedBy(Runtime& runtime, std::vector<Value> items,
                                     const std::vector<Value>& keys, bool reverse);

/// The entries of `dict` in the order of their keys.
Outcome<std::vector<DictRep::Entry>> SortedByKey(Runtime& runtime, const DictRep& dict);

}  // namespace tandem::jinja
