#include "text/jinja/object.h"

#include "base/format.h"

namespace tandem::jinja {

Outcome<Value> Object::Call(Runtime& /*runtime*/, const Arguments& /*arguments*/) {
  return TypeError(Format("'{}' object is not callable", TypeName()));
}

Outcome<std::optional<Value>> Object::Attribute(Runtime& /*runtime*/, std::string_view /*name*/) {
  return std::optional<Value>();
}

Outcome<std::optional<Value>> Object::Item(Runtime& /*runtime*/, const Value& /*key*/) {
  return std::optional<Value>();
}

Outcome<std::optional<std::size_t>> Object::Length(Runtime& /*runtime*/) {
  return std::optional<std::size_t>();
}

Outcome<std::optional<bool>> Object::Contains(Runtime& /*runtime*/, const Value& /*item*/) {
  return std::optional<bool>();
}

Outcome<MarkedText> Object::Print(Runtime& /*runtime*/) {
  // Python prints an address here; there is none worth showing.
  return MarkedText(Format("<{} object>", QualifiedTypeName()), true);
}

}  // namespace tandem::jinja
