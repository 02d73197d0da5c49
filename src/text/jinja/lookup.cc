#include "text/jinja/lookup.h"

#include <algorithm>

#include "base/format.h"
#include "text/jinja/operators.h"
#include "text/jinja/printing.h"

namespace tandem::jinja {
namespace {

// Methods that change their object: the immutable sandbox refuses them.
constexpr std::string_view kListMutators[] = {"append", "clear", "pop",    "reverse",
                                              "insert", "sort",  "extend", "remove"};
constexpr std::string_view kDictMutators[] = {"clear", "pop", "popitem", "setdefault", "update"};

// Special attributes that every Python object has; the sandbox refuses them all.
constexpr std::string_view kSpecial[] = {
    "__class__",   "__delattr__", "__dir__",           "__doc__",         "__eq__",
    "__format__",  "__ge__",      "__getattribute__",  "__getstate__",    "__gt__",
    "__hash__",    "__init__",    "__init_subclass__", "__le__",          "__lt__",
    "__ne__",      "__new__",     "__reduce__",        "__reduce_ex__",   "__repr__",
    "__setattr__", "__sizeof__",  "__str__",           "__subclasshook__"};
constexpr std::string_view kContainerSpecial[] = {"__contains__", "__getitem__", "__iter__",
                                                  "__len__"};

template <std::size_t N>
bool IsOneOf(std::string_view name, const std::string_view (&names)[N]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

BuiltinTable MethodsOf(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kString:
      return TextMethods();
    case Value::Kind::kList:
      return ListMethods();
    case Value::Kind::kTuple:
      return TupleMethods();
    case Value::Kind::kDict:
      return DictMethods();
    case Value::Kind::kBool:
    case Value::Kind::kInt:
      return IntMethods();
    case Value::Kind::kFloat:
      return FloatMethods();
    default:
      return {};
  }
}

bool Mutates(const Value& value, std::string_view name) {
  return (value.kind() == Value::Kind::kList && IsOneOf(name, kListMutators)) ||
         (value.dict() && IsOneOf(name, kDictMutators));
}

Value Refused(const Value& value, std::string_view name) {
  return Value::Undefined(
      {.hint = Format("access to attribute '{}' of '{}' object is unsafe.", name, value.TypeName()),
       .unsafe = true});
}

// The attribute as Python's getattr finds it, checked by the sandbox; nothing when there is none.
Outcome<std::optional<Value>> FindAttribute(Runtime& runtime, const Value& value,
                                            std::string_view name) {
  if (value.object()) {
    TANDEM_ASSIGN_OR_RETURN(std::optional<Value> found, value.AsObject().Attribute(runtime, name));
    if (found.has_value() && name.front() == '_') {
      return std::optional<Value>(Refused(value, name));
    }
    if (found.has_value()) {
      return found;
    }
  }
  if (name.substr(0, 2) == "__") {
    const bool container = value.string() || value.sequence() || value.dict();
    const bool exists = (IsOneOf(name, kSpecial) && value.TypeName() != "Namespace") ||
                        (container && IsOneOf(name, kContainerSpecial)) || name == "__class__";
    return exists ? std::optional<Value>(Refused(value, name)) : std::nullopt;
  }
  const Builtin* const method = MethodsOf(value).Find(name);
  if (method == nullptr) {
    return std::optional<Value>();
  }
  if (Mutates(value, name)) {
    return std::optional<Value>(Refused(value, name));
  }
  if (method->parameters == "property") {
    TANDEM_ASSIGN_OR_RETURN(Value property,
                            Invoke(runtime, {name, "", method->function}, value, {}));
    return std::optional<Value>(std::move(property));
  }
  return std::optional<Value>(Value::Of(std::make_shared<BuiltinObject>(*method, value)));
}

// value[key]; nothing for what Python answers with a TypeError or LookupError.
Outcome<std::optional<Value>> FindItem(Runtime& runtime, const Value& value, const Value& key) {
  if (value.dict()) {
    if (!CheckHashable(key).ok()) {
      return std::optional<Value>();
    }
    const Value* const found = value.entries().Find(key);
    return found == nullptr ? std::optional<Value>() : std::optional<Value>(*found);
  }
  if (value.object()) {
    return value.AsObject().Item(runtime, key);
  }
  if ((!value.sequence() && !value.string()) || !key.integral()) {
    return std::optional<Value>();
  }
  const auto length = static_cast<Int>(value.string() ? value.text().length : value.items().size());
  const Int index = key.AsInt() < 0 ? key.AsInt() + length : key.AsInt();
  if (index < 0 || index >= length) {
    return std::optional<Value>();
  }
  if (value.sequence()) {
    return std::optional<Value>(value.items()[static_cast<std::size_t>(index)]);
  }
  TANDEM_ASSIGN_OR_RETURN(Value character, Slice(runtime, value, Value::Integer(index),
                                                 Value::Integer(index + 1), Value()));
  return std::optional<Value>(std::move(character));
}

}  // namespace

Outcome<Value> GetAttribute(Runtime& runtime, const Value& value, std::string_view name) {
  if (value.undefined()) {
    return IsOneOf(name, kSpecial) ? Outcome<Value>(Refused(value, name))
                                   : value.undefined_info().Fail();
  }
  TANDEM_ASSIGN_OR_RETURN(std::optional<Value> found, FindAttribute(runtime, value, name));
  if (found.has_value()) {
    return *std::move(found);
  }
  if (value.dict()) {
    const Value* const item = value.entries().Find(name);
    if (item != nullptr) {
      return *item;
    }
  } else if (value.object()) {
    TANDEM_ASSIGN_OR_RETURN(std::optional<Value> item,
                            FindItem(runtime, value, Value::String(name, true)));
    if (item.has_value()) {
      return *std::move(item);
    }
  }
  return Value::Undefined({.object_type = ObjectTypeName(value), .name = std::string(name)});
}

Outcome<Value> GetItem(Runtime& runtime, const Value& value, const Value& key) {
  if (value.undefined()) {
    return value.undefined_info().Fail();
  }
  TANDEM_ASSIGN_OR_RETURN(std::optional<Value> item, FindItem(runtime, value, key));
  if (item.has_value()) {
    return *std::move(item);
  }
  if (key.string()) {
    if (!key.bytes().empty()) {
      TANDEM_ASSIGN_OR_RETURN(std::optional<Value> found,
                              FindAttribute(runtime, value, key.bytes()));
      if (found.has_value()) {
        return *std::move(found);
      }
    }
    return Value::Undefined({.object_type = ObjectTypeName(value), .name = key.bytes()});
  }
  TANDEM_ASSIGN_OR_RETURN(const MarkedText name, Repr(runtime, key));
  return Value::Undefined(
      {.object_type = ObjectTypeName(value), .name = name.bytes(), .attribute = false});
}

Outcome<bool> HasAttribute(Runtime& runtime, const Value& value, std::string_view name) {
  if (name.empty()) {
    return false;
  }
  TANDEM_ASSIGN_OR_RETURN(const std::optional<Value> found, FindAttribute(runtime, value, name));
  return found.has_value();
}

}  // namespace tandem::jinja
