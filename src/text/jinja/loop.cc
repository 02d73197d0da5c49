#include "text/jinja/loop.h"

#include "base/format.h"
#include "text/jinja/iteration.h"

namespace tandem::jinja {
namespace {

LoopObject& Self(const Call& call) {
  return static_cast<LoopObject&>(call.self.AsObject());
}

Outcome<Value> CycleMethod(Call& call) {
  return Self(call).Cycle(call.raw.positional);
}

Outcome<Value> ChangedMethod(Call& call) {
  for (const Value& value : call.raw.positional) {
    TANDEM_RETURN_IF_ERROR(call.runtime.Charge(value.weight()));
  }
  return Value::Bool(Self(call).Changed(call.raw.positional));
}

constexpr Builtin kMethods[] = {{"changed", "*", ChangedMethod}, {"cycle", "*", CycleMethod}};

Value NoItem(std::string hint) {
  return Value::Undefined({.hint = std::move(hint)});
}

}  // namespace

Outcome<std::optional<Value>> LoopObject::Advance(Runtime& runtime) {
  TANDEM_RETURN_IF_ERROR(Peek(runtime));
  peeked_ = false;
  if (!next_.has_value()) {
    return std::optional<Value>();
  }
  ++index_;
  previous_ = std::move(current_);
  current_ = *std::move(next_);
  next_.reset();
  return std::optional<Value>(current_);
}

Raised LoopObject::Peek(Runtime& runtime) {
  if (!peeked_) {
    TANDEM_ASSIGN_OR_RETURN(next_, iterator_->Next(runtime));
    peeked_ = true;
  }
  return {};
}

void LoopObject::Close() {
  previous_ = current_ = last_changed_ = iterable_ = Value();
  next_.reset();
  peeked_ = true;
}

// As many as the iterable has, or counted by taking all that are left.
Outcome<Int> LoopObject::CountItems(Runtime& runtime) {
  if (!length_.has_value() && stmt_.expressions[1] == nullptr) {
    TANDEM_ASSIGN_OR_RETURN(const std::optional<std::size_t> known, TryLength(runtime, iterable_));
    if (known.has_value()) {
      length_ = static_cast<Int>(*known);
    }
  }
  if (!length_.has_value()) {
    std::vector<Value> rest;
    while (true) {
      TANDEM_RETURN_IF_ERROR(runtime.Charge(1));
      TANDEM_ASSIGN_OR_RETURN(std::optional<Value> item, iterator_->Next(runtime));
      if (!item.has_value()) {
        break;
      }
      rest.push_back(*std::move(item));
    }
    const bool waiting = peeked_ && next_.has_value();
    length_ = static_cast<Int>(rest.size()) + index_ + 1 + (waiting ? 1 : 0);
    iterator_ = TryIterate(Value::List(std::move(rest)));
  }
  return *length_;
}

Outcome<std::optional<std::size_t>> LoopObject::Length(Runtime& runtime) {
  TANDEM_ASSIGN_OR_RETURN(const Int length, CountItems(runtime));
  return std::optional<std::size_t>(static_cast<std::size_t>(length));
}

Outcome<std::optional<Value>> LoopObject::Attribute(Runtime& runtime, std::string_view name) {
  using Found = std::optional<Value>;
  if (name == "index" || name == "index0") {
    return Found(Value::Integer(name == "index" ? index_ + 1 : index_));
  }
  if (name == "first") {
    return Found(Value::Bool(index_ == 0));
  }
  if (name == "depth" || name == "depth0") {
    return Found(Value::Integer(static_cast<Int>(depth_) + (name == "depth" ? 1 : 0)));
  }
  if (name == "length" || name == "revindex" || name == "revindex0") {
    TANDEM_ASSIGN_OR_RETURN(const Int length, CountItems(runtime));
    return Found(Value::Integer(name == "length"     ? length
                                : name == "revindex" ? length - index_
                                                     : length - index_ - 1));
  }
  if (name == "last" || name == "nextitem") {
    TANDEM_RETURN_IF_ERROR(Peek(runtime));
    return Found(name == "last"      ? Value::Bool(!next_.has_value())
                 : next_.has_value() ? *next_
                                     : NoItem("there is no next item"));
  }
  if (name == "previtem") {
    return Found(index_ == 0 ? NoItem("there is no previous item") : previous_);
  }
  const Builtin* const method = BuiltinTable{std::begin(kMethods), std::end(kMethods)}.Find(name);
  if (method == nullptr) {
    return Found();
  }
  return Found(Value::Of(std::make_shared<BuiltinObject>(*method, Value::Of(shared_from_this()))));
}

Outcome<Value> LoopObject::Call(Runtime& /*runtime*/, const Arguments& arguments) {
  if (!stmt_.recursive) {
    return TypeError("The loop must have the 'recursive' marker to be called recursively.");
  }
  if (arguments.positional.size() != 1 || !arguments.keywords.empty()) {
    return TypeError("loop() takes exactly one argument");
  }
  return interpreter_.Recurse(stmt_, scope_, arguments.positional[0], depth_ + 1);
}

Outcome<MarkedText> LoopObject::Print(Runtime& runtime) {
  TANDEM_ASSIGN_OR_RETURN(const Int length, CountItems(runtime));
  return MarkedText(Format("<LoopContext {}/{}>", ToDecimal(index_ + 1), ToDecimal(length)), true);
}

Outcome<Value> LoopObject::Cycle(const std::vector<Value>& values) const {
  if (values.empty()) {
    return TypeError("no items for cycling given");
  }
  const Int index = index_ < 0 ? 0 : index_;
  return values[static_cast<std::size_t>(index) % values.size()];
}

bool LoopObject::Changed(std::vector<Value> values) {
  Value now = Value::Tuple(std::move(values));
  if (!last_changed_.missing() && Equal(last_changed_, now)) {
    return false;
  }
  last_changed_ = std::move(now);
  return true;
}

Outcome<std::optional<Value>> FilteredIterator::Next(Runtime& runtime) {
  while (true) {
    TANDEM_RETURN_IF_ERROR(runtime.Charge(1));
    TANDEM_ASSIGN_OR_RETURN(std::optional<Value> item, inner_->Next(runtime));
    if (!item.has_value()) {
      return item;
    }
    TANDEM_ASSIGN_OR_RETURN(const bool passes, interpreter_.PassesTest(stmt_, scope_, *item));
    if (passes) {
      return item;
    }
  }
}

}  // namespace tandem::jinja
