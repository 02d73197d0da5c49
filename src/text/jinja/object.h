#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/error.h"
#include "text/jinja/value.h"

namespace tandem::jinja {

class Runtime;

/// What a call passes: positional values, then keyword ones in order.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keywords;
};

/// Hands out values one by one, as Python's iterators do. Single-threaded.
class Iterator {
 public:
  virtual ~Iterator() = default;
  /// The next value, or nothing at the end.
  virtual Outcome<std::optional<Value>> Next(Runtime& runtime) = 0;
};

/// Every value that is not plain data: functions, macros, namespaces, iterators, views, loops.
/// The defaults are those of a Python object without special methods. Single-threaded.
class Object {
 public:
  virtual ~Object() = default;

  virtual std::string_view TypeName() const = 0;
  /// With its module where jinja2 shows one, e.g. "jinja2.utils.Namespace".
  virtual std::string_view QualifiedTypeName() const { return TypeName(); }
  virtual bool Truthy() const { return true; }
  virtual bool Equals(const Object& /*other*/) const { return false; }
  virtual bool Callable() const { return false; }
  virtual Outcome<Value> Call(Runtime& runtime, const Arguments& arguments);
  /// The attribute, or nothing when there is none.
  virtual Outcome<std::optional<Value>> Attribute(Runtime& runtime, std::string_view name);
  /// object[key]; nothing when the object is not subscriptable or has no such element.
  virtual Outcome<std::optional<Value>> Item(Runtime& runtime, const Value& key);
  /// len(); nothing when the object has none.
  virtual Outcome<std::optional<std::size_t>> Length(Runtime& runtime);
  /// iter(); null when the object cannot be iterated.
  virtual std::unique_ptr<Iterator> Iterate() { return nullptr; }
  /// reversed(); null when the object cannot be walked backwards.
  virtual std::unique_ptr<Iterator> IterateReversed() { return nullptr; }
  /// `item in object`; nothing when only iteration can tell.
  virtual Outcome<std::optional<bool>> Contains(Runtime& runtime, const Value& item);
  /// True when the object has __getitem__ and __len__ (the `sequence` test).
  virtual bool Sequence() const { return false; }
  /// str() of the object.
  virtual Outcome<MarkedText> Print(Runtime& runtime);
};

}  // namespace tandem::jinja
