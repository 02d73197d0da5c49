#include <cmath>

#include "base/format.h"
#include "text/jinja/comparison.h"
#include "text/jinja/iteration.h"
#include "text/jinja/lookup.h"
#include "text/jinja/printing.h"

namespace tandem::jinja {
namespace {

Outcome<Value> Count(Call& call) {
  Int count = 0;
  for (const Value& item : call.self.items()) {
    TANDEM_RETURN_IF_ERROR(call.runtime.Charge(std::min(item.weight(), call[0].weight())));
    count += Equal(item, call[0]) ? 1 : 0;
  }
  return Value::Integer(count);
}

Outcome<Value> Index(Call& call) {
  const auto length = static_cast<Int>(call.self.items().size());
  TANDEM_ASSIGN_OR_RETURN(Int start, call.Integer(1, 0));
  TANDEM_ASSIGN_OR_RETURN(Int stop, call.Integer(2, length));
  start = start < 0 ? std::max<Int>(0, start + length) : start;
  stop = std::min(stop < 0 ? stop + length : stop, length);
  for (Int i = start; i < stop; ++i) {
    const Value& item = call.self.items()[static_cast<std::size_t>(i)];
    TANDEM_RETURN_IF_ERROR(call.runtime.Charge(std::min(item.weight(), call[0].weight())));
    if (Equal(item, call[0])) {
      return Value::Integer(i);
    }
  }
  TANDEM_ASSIGN_OR_RETURN(const MarkedText shown, Repr(call.runtime, call[0]));
  return ValueError(Format("{} is not in list", shown.bytes()));
}

Outcome<Value> Copy(Call& call) {
  return call.self;
}

// Of methods that change their object: lookup refuses them before they can run.
Outcome<Value> Refuse(Call& /*call*/) {
  return Raised("SecurityError", "containers cannot be changed");
}

Outcome<Value> Get(Call& call) {
  TANDEM_RETURN_IF_ERROR(CheckHashable(call[0]));
  const Value* const found = call.self.entries().Find(call[0]);
  return found != nullptr ? *found : call.Has(1) ? call[1] : Value::None();
}

Outcome<Value> Items(Call& call) {
  return MakeDictView(DictView::kItems, call.self);
}

Outcome<Value> Keys(Call& call) {
  return MakeDictView(DictView::kKeys, call.self);
}

Outcome<Value> Values(Call& call) {
  return MakeDictView(DictView::kValues, call.self);
}

Outcome<Value> FromKeys(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const std::vector<Value> keys, Collect(call.runtime, call[0]));
  DictRep dict;
  for (const Value& key : keys) {
    TANDEM_RETURN_IF_ERROR(CheckHashable(key));
    dict.Set(key, call.Has(1) ? call[1] : Value::None());
  }
  return Value::Dict(std::move(dict));
}

Outcome<Value> Self(Call& call) {
  return call.self.integral() ? Value::Integer(call.self.AsInt(), call.self.trusted()) : call.self;
}

Outcome<Value> Zero(Call& call) {
  return call.self.integral() ? Value::Integer(0) : Value::Float(0);
}

Outcome<Value> One(Call& /*call*/) {
  return Value::Integer(1);
}

Outcome<Value> BitLength(Call& call) {
  Int value = call.self.AsInt() < 0 ? -call.self.AsInt() : call.self.AsInt();
  Int bits = 0;
  for (; value > 0; value /= 2) {
    ++bits;
  }
  return Value::Integer(bits);
}

Outcome<Value> BitCount(Call& call) {
  Int value = call.self.AsInt() < 0 ? -call.self.AsInt() : call.self.AsInt();
  Int bits = 0;
  for (; value > 0; value /= 2) {
    bits += value % 2;
  }
  return Value::Integer(bits);
}

Outcome<Value> IsInteger(Call& call) {
  const double value = call.self.AsDouble();
  return Value::Bool(std::isfinite(value) && std::floor(value) == value);
}

// "property" marks an attribute that is a value, not a method.
constexpr Builtin kList[] = {
    {"append", "/ object", Refuse},
    {"clear", "/", Refuse},
    {"copy", "/", Copy},
    {"count", "/ value", Count},
    {"extend", "/ iterable", Refuse},
    {"index", "/ value [start] [stop]", Index},
    {"insert", "/ index object", Refuse},
    {"pop", "/ [index]", Refuse},
    {"remove", "/ value", Refuse},
    {"reverse", "/", Refuse},
    {"sort", "[key] [reverse]", Refuse},
};
constexpr Builtin kTuple[] = {
    {"count", "/ value", Count},
    {"index", "/ value [start] [stop]", Index},
};
constexpr Builtin kDict[] = {
    {"clear", "/", Refuse},
    {"copy", "/", Copy},
    {"fromkeys", "/ iterable [value]", FromKeys},
    {"get", "/ key [default]", Get},
    {"items", "/", Items},
    {"keys", "/", Keys},
    {"pop", "/ key [default]", Refuse},
    {"popitem", "/", Refuse},
    {"setdefault", "/ key [default]", Refuse},
    {"update", "*", Refuse},
    {"values", "/", Values},
};
constexpr Builtin kInt[] = {
    {"bit_count", "/", BitCount}, {"bit_length", "/", BitLength},
    {"conjugate", "/", Self},     {"denominator", "property", One},
    {"imag", "property", Zero},   {"numerator", "property", Self},
    {"real", "property", Self},
};
constexpr Builtin kFloat[] = {
    {"conjugate", "/", Self},
    {"imag", "property", Zero},
    {"is_integer", "/", IsInteger},
    {"real", "property", Self},
};

}  // namespace

BuiltinTable ListMethods() {
  return {std::begin(kList), std::end(kList)};
}
BuiltinTable TupleMethods() {
  return {std::begin(kTuple), std::end(kTuple)};
}
BuiltinTable DictMethods() {
  return {std::begin(kDict), std::end(kDict)};
}
BuiltinTable IntMethods() {
  return {std::begin(kInt), std::end(kInt)};
}
BuiltinTable FloatMethods() {
  return {std::begin(kFloat), std::end(kFloat)};
}

}  // namespace tandem::jinja
