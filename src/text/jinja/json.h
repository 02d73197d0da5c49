#pragma once

#include <functional>
#include <string>

#include <nlohmann/json.hpp>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace tandem::jinja {

/// The value of a JSON document: objects become dicts in key order. Everything in it is data.
/// A RecursionError when it nests deeper than `nesting`.
Outcome<Value> FromJson(const nlohmann::ordered_json& json, std::size_t nesting);

/// How json.dumps lays out its text.
struct JsonStyle {
  bool indented = false;
  MarkedText indent;  // one level
  MarkedText item_separator;
  MarkedText key_separator;
  bool ascii = false;  // \uXXXX for everything beyond ASCII
  bool sort_keys = false;
};

/// Python's json.dumps(value): characters of strings keep their marks, punctuation counts as data.
Outcome<MarkedText> ToJson(Runtime& runtime, const Value& value, const JsonStyle& style);

}  // namespace tandem::jinja
