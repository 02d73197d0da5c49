#include <cmath>

#include "base/format.h"
#include "text/jinja/comparison.h"
#include "text/jinja/filters.h"
#include "text/jinja/iteration.h"
#include "text/jinja/operators.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_methods.h"

namespace tandem::jinja {
namespace {

using Kind = Value::Kind;

Outcome<Value> Yes(bool answer) {
  return Value::Bool(answer);
}

template <Kind kKind>
Outcome<Value> IsKind(Call& call) {
  return Yes(call.self.kind() == kKind);
}

// value % divisor == remainder
Outcome<Value> Leaves(Call& call, const Value& divisor, Int remainder) {
  TANDEM_ASSIGN_OR_RETURN(const Value rest,
                          Apply(call.runtime, BinaryOperator::kMod, call.self, divisor));
  return Yes(Equal(rest, Value::Integer(remainder)));
}

Outcome<Value> Odd(Call& call) {
  return Leaves(call, Value::Integer(2), 1);
}

Outcome<Value> Even(Call& call) {
  return Leaves(call, Value::Integer(2), 0);
}

Outcome<Value> DivisibleBy(Call& call) {
  return Leaves(call, call[0], 0);
}

Outcome<Value> Defined(Call& call) {
  return Yes(!call.self.undefined());
}

Outcome<Value> Sequence(Call& call) {
  const bool object = call.self.object() && call.self.AsObject().Sequence();
  return Yes(call.self.string() || call.self.sequence() || call.self.dict() ||
             call.self.undefined() || object);
}

Outcome<Value> Iterable(Call& call) {
  return Yes(TryIterate(call.self) != nullptr);
}

Outcome<Value> Number(Call& call) {
  return Yes(call.self.number());
}

template <bool kTruth>
Outcome<Value> IsTruth(Call& call) {
  return Yes(call.self.kind() == Kind::kBool && call.self.AsBool() == kTruth);
}

template <bool (*kTest)(std::string_view)>
Outcome<Value> TextIs(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const MarkedText text, Print(call.runtime, call.self));
  return Yes(kTest(text.bytes()));
}

Outcome<Value> IsCallable(Call& call) {
  // An Undefined has a __call__, if only to fail.
  return Yes(call.self.undefined() || (call.self.object() && call.self.AsObject().Callable()));
}

Outcome<Value> Escaped(Call& call) {
  return Yes(call.self.markup());
}

Outcome<Value> SameAs(Call& call) {
  return Yes(call.self.Same(call[0]));
}

template <Comparison kComparison>
Outcome<Value> Compares(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const bool holds, Compare(call.runtime, kComparison, call.self, call[0]));
  return Yes(holds);
}

Outcome<Value> IsFilter(Call& call) {
  TANDEM_RETURN_IF_ERROR(CheckHashable(call.self));
  return Yes(call.self.string() && FindFilter(call.self.bytes()) != nullptr);
}

Outcome<Value> IsTest(Call& call) {
  TANDEM_RETURN_IF_ERROR(CheckHashable(call.self));
  return Yes(call.self.string() && FindTest(call.self.bytes()) != nullptr);
}

constexpr Builtin kTests[] = {
    {"!=", "/ other", Compares<Comparison::kNe>},
    {"<", "/ other", Compares<Comparison::kLt>},
    {"<=", "/ other", Compares<Comparison::kLe>},
    {"==", "/ other", Compares<Comparison::kEq>},
    {">", "/ other", Compares<Comparison::kGt>},
    {">=", "/ other", Compares<Comparison::kGe>},
    {"boolean", "", IsKind<Kind::kBool>},
    {"callable", "/", IsCallable},
    {"defined", "", Defined},
    {"divisibleby", "num", DivisibleBy},
    {"eq", "/ other", Compares<Comparison::kEq>},
    {"equalto", "/ other", Compares<Comparison::kEq>},
    {"escaped", "", Escaped},
    {"even", "", Even},
    {"false", "", IsTruth<false>},
    {"filter", "", IsFilter},
    {"float", "", IsKind<Kind::kFloat>},
    {"ge", "/ other", Compares<Comparison::kGe>},
    {"greaterthan", "/ other", Compares<Comparison::kGt>},
    {"gt", "/ other", Compares<Comparison::kGt>},
    {"in", "seq", Compares<Comparison::kIn>},
    {"integer", "", IsKind<Kind::kInt>},
    {"iterable", "", Iterable},
    {"le", "/ other", Compares<Comparison::kLe>},
    {"lessthan", "/ other", Compares<Comparison::kLt>},
    {"lower", "", TextIs<&AllLower>},
    {"lt", "/ other", Compares<Comparison::kLt>},
    {"mapping", "", IsKind<Kind::kDict>},
    {"ne", "/ other", Compares<Comparison::kNe>},
    {"none", "", IsKind<Kind::kNone>},
    {"number", "", Number},
    {"odd", "", Odd},
    {"sameas", "other", SameAs},
    {"sequence", "", Sequence},
    {"string", "", IsKind<Kind::kString>},
    {"test", "", IsTest},
    {"true", "", IsTruth<true>},
    {"undefined", "", IsKind<Kind::kUndefined>},
    {"upper", "", TextIs<&AllUpper>},
};

}  // namespace

const Builtin* FindTest(std::string_view name) {
  return BuiltinTable{std::begin(kTests), std::end(kTests)}.Find(name);
}

}  // namespace tandem::jinja
