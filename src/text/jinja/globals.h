#pragma once

#include <memory>
#include <string_view>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace tandem::jinja {

/// The global `name` (range, namespace, raise_exception...), or a missing value.
Value FindGlobal(std::string_view name);

/// namespace(...): the one object whose attributes a template can set.
class NamespaceObject final : public Object {
 public:
  std::string_view TypeName() const override { return "Namespace"; }
  std::string_view QualifiedTypeName() const override { return "jinja2.utils.Namespace"; }
  Outcome<std::optional<Value>> Attribute(Runtime& runtime, std::string_view name) override;
  Outcome<MarkedText> Print(Runtime& runtime) override;

  void Set(std::string_view name, Value value) {
    attributes_.Set(Value::String(name, true), std::move(value));
  }
  void Assign(DictRep attributes) { attributes_ = std::move(attributes); }

 private:
  DictRep attributes_;
};

}  // namespace tandem::jinja
