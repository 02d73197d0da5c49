#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace tandem::jinja {

/// iter(value), or null when the value cannot be iterated. Dicts give keys, strings characters,
/// undefined values nothing.
std::unique_ptr<Iterator> TryIterate(const Value& value);
/// iter(value), or Python's TypeError.
Outcome<std::unique_ptr<Iterator>> Iterate(const Value& value);
/// list(value): everything that iterating gives, paid for.
Outcome<std::vector<Value>> Collect(Runtime& runtime, const Value& value);
/// len(value), or Python's TypeError.
Outcome<std::size_t> LengthOf(Runtime& runtime, const Value& value);
/// Has len() (lists, strings, dicts, ranges, views...).
Outcome<std::optional<std::size_t>> TryLength(Runtime& runtime, const Value& value);
/// reversed(value), or null when the value cannot be walked backwards.
std::unique_ptr<Iterator> TryIterateReversed(const Value& value);

/// The characters of a string as one-character strings, or the items of a list or tuple.
std::vector<Value> Characters(const Value& text);

/// A Python iterator as a value: it can be walked once. `type_name` is static, e.g. "generator".
Value MakeIteratorValue(std::string_view type_name, std::unique_ptr<Iterator> iterator);
/// A generator whose values `next` computes one at a time, when they are asked for.
Value MakeGenerator(std::function<Outcome<std::optional<Value>>(Runtime&)> next);

/// range(start, stop, step); step is not 0. Fails as the sandbox does beyond 100,000 elements.
Outcome<Value> MakeRange(Int start, Int stop, Int step);

enum class DictView { kKeys, kValues, kItems };
/// dict.keys(), .values() or .items() of `dict`.
Value MakeDictView(DictView view, const Value& dict);

/// The values that a target of `count` names unpacks `value` into, or Python's error.
Outcome<std::vector<Value>> Unpack(Runtime& runtime, const Value& value, std::size_t count);

}  // namespace tandem::jinja
