#include "text/jinja/runtime.h"

#include <algorithm>

#include "base/format.h"
#include "text/jinja/globals.h"

namespace tandem::jinja {
namespace {

constexpr std::size_t kBytesPerStep = 64;

struct Parameter {
  std::string_view name;
  bool optional = false;
};

// Cuts the next parameter off `rest`.
Parameter NextParameter(std::string_view& rest) {
  const std::size_t space = rest.find(' ');
  std::string_view word = rest.substr(0, space);
  rest = space == std::string_view::npos ? std::string_view() : rest.substr(space + 1);
  if (word.front() == '[') {
    return {word.substr(1, word.size() - 2), true};
  }
  return {word, false};
}

Raised BindKeyword(const Builtin& builtin, std::string_view rest, std::size_t positional,
                   const std::pair<std::string, Value>& keyword, Call& call) {
  for (std::size_t i = 0; !rest.empty(); ++i) {
    if (NextParameter(rest).name != keyword.first) {
      continue;
    }
    if (i < positional || call.Has(i)) {
      return TypeError(
          Format("{}() got multiple values for argument '{}'", builtin.name, keyword.first));
    }
    call.bound[i] = keyword.second;
    return {};
  }
  return TypeError(
      Format("{}() got an unexpected keyword argument '{}'", builtin.name, keyword.first));
}

Raised Bind(const Builtin& builtin, const Arguments& arguments, Call& call) {
  std::string_view rest = builtin.parameters;
  const bool positional_only = !rest.empty() && rest.front() == '/';
  if (positional_only) {
    rest.remove_prefix(rest.size() > 1 ? 2 : 1);
  }
  const std::string_view all = rest;
  if (positional_only && !arguments.keywords.empty()) {
    return TypeError(Format("{}() takes no keyword arguments", builtin.name));
  }
  std::size_t count = 0;
  for (; !rest.empty() && count < arguments.positional.size(); ++count) {
    NextParameter(rest);
    call.bound[count] = arguments.positional[count];
  }
  if (count < arguments.positional.size()) {
    return TypeError(Format("{}() takes at most {} arguments ({} given)", builtin.name, count,
                            arguments.positional.size()));
  }
  for (const auto& keyword : arguments.keywords) {
    TANDEM_RETURN_IF_ERROR(BindKeyword(builtin, all, count, keyword, call));
  }
  rest = all;
  for (std::size_t i = 0; !rest.empty(); ++i) {
    const Parameter parameter = NextParameter(rest);
    if (!parameter.optional && !call.Has(i)) {
      return TypeError(
          Format("{}() missing a required argument: '{}'", builtin.name, parameter.name));
    }
  }
  return {};
}

}  // namespace

Runtime::Runtime(const Limits& limits, const std::tm& now) : limits_(limits), now_(now) {}

Runtime::~Runtime() {
  for (const std::shared_ptr<NamespaceObject>& object : namespaces_) {
    object->Assign({});
  }
}

Value Runtime::NewNamespace(DictRep attributes) {
  namespaces_.push_back(std::make_shared<NamespaceObject>());
  namespaces_.back()->Assign(std::move(attributes));
  return Value::Of(namespaces_.back());
}

Raised Runtime::OutOfSteps() {
  return Raised("LimitError", "the template does more than one rendering may do");
}

Raised Runtime::Level::TooDeep() {
  return Raised("RecursionError", "maximum recursion depth exceeded");
}

Raised Runtime::CheckSize(std::size_t bytes) const {
  if (bytes > limits_.bytes) {
    return Raised("LimitError",
                  Format("a text of {} bytes is longer than the {} allowed", bytes, limits_.bytes));
  }
  return {};
}

Outcome<Value> Runtime::Text(MarkedText text) {
  TANDEM_RETURN_IF_ERROR(CheckSize(text.size()));
  TANDEM_RETURN_IF_ERROR(Charge(1 + text.size() / kBytesPerStep));
  return Value::String(std::move(text));
}

Outcome<Value> Runtime::CheckNesting(Value value) const {
  if (value.depth() > limits_.nesting) {
    return Raised("RecursionError", "containers nest too deeply");
  }
  return value;
}

Outcome<Int> Call::Integer(std::size_t i, Int fallback) const {
  if (!Has(i)) {
    return fallback;
  }
  if (!bound[i].integral()) {
    return TypeError(
        Format("'{}' object cannot be interpreted as an integer", bound[i].TypeName()));
  }
  return bound[i].AsInt();
}

const Builtin* BuiltinTable::Find(std::string_view name) const {
  const Builtin* const found =
      std::find_if(begin, end, [name](const Builtin& row) { return row.name == name; });
  return found == end ? nullptr : found;
}

Outcome<Value> Invoke(Runtime& runtime, const Builtin& builtin, const Value& self,
                      const Arguments& arguments) {
  Call call{.runtime = runtime, .self = self, .raw = arguments, .bound = {}};
  if (builtin.parameters != "*") {
    TANDEM_RETURN_IF_ERROR(Bind(builtin, arguments, call));
  }
  return builtin.function(call);
}

bool BuiltinObject::Equals(const Object& other) const {
  const auto* const same = dynamic_cast<const BuiltinObject*>(&other);
  return same != nullptr && &same->builtin_ == &builtin_ && same->self_.Same(self_);
}

Outcome<MarkedText> BuiltinObject::Print(Runtime& /*runtime*/) {
  if (self_.missing()) {
    return MarkedText(Format("<function {}>", builtin_.name), true);
  }
  return MarkedText(Format("<built-in method {} of {} object>", builtin_.name, self_.TypeName()),
                    true);
}

}  // namespace tandem::jinja
