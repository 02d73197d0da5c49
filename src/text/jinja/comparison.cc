#include "text/jinja/comparison.h"

#include <algorithm>
#include <numeric>

#include "base/format.h"
#include "text/jinja/iteration.h"

namespace tandem::jinja {
namespace {

std::string_view Symbol(Comparison comparison) {
  switch (comparison) {
    case Comparison::kLt:
      return "<";
    case Comparison::kLe:
      return "<=";
    case Comparison::kGt:
      return ">";
    default:
      return ">=";
  }
}

template <typename T>
bool Ordered(Comparison comparison, const T& a, const T& b) {
  switch (comparison) {
    case Comparison::kLt:
      return a < b;
    case Comparison::kLe:
      return a <= b;
    case Comparison::kGt:
      return a > b;
    default:
      return a >= b;
  }
}

// < <= > >=, lists and tuples by their first difference.
Outcome<bool> CompareOrder(Runtime& runtime, Comparison comparison, const Value& a,
                           const Value& b) {
  for (const Value* side : {&a, &b}) {
    if (side->undefined()) {
      return side->undefined_info().Fail();
    }
  }
  if (a.integral() && b.integral()) {
    return Ordered(comparison, a.AsInt(), b.AsInt());
  }
  if (a.number() && b.number()) {
    return Ordered(comparison, a.AsDouble(), b.AsDouble());
  }
  if (a.string() && b.string()) {
    return Ordered(comparison, a.bytes().compare(b.bytes()), 0);
  }
  if (a.sequence() && a.kind() == b.kind()) {
    TANDEM_RETURN_IF_ERROR(runtime.Charge(std::min(a.weight(), b.weight())));
    const std::size_t shared = std::min(a.items().size(), b.items().size());
    for (std::size_t i = 0; i < shared; ++i) {
      if (!Equal(a.items()[i], b.items()[i])) {
        return CompareOrder(runtime, comparison, a.items()[i], b.items()[i]);
      }
    }
    return Ordered(comparison, a.items().size(), b.items().size());
  }
  return TypeError(Format("'{}' not supported between instances of '{}' and '{}'",
                          Symbol(comparison), a.TypeName(), b.TypeName()));
}

}  // namespace

Outcome<bool> Compare(Runtime& runtime, Comparison comparison, const Value& a, const Value& b) {
  switch (comparison) {
    case Comparison::kEq:
    case Comparison::kNe:
      TANDEM_RETURN_IF_ERROR(runtime.Charge(std::min(a.weight(), b.weight())));
      return Equal(a, b) == (comparison == Comparison::kEq);
    case Comparison::kIn:
      return Contains(runtime, b, a);
    case Comparison::kNotIn: {
      TANDEM_ASSIGN_OR_RETURN(const bool found, Contains(runtime, b, a));
      return !found;
    }
    default:
      return CompareOrder(runtime, comparison, a, b);
  }
}

Outcome<bool> Contains(Runtime& runtime, const Value& container, const Value& item) {
  TANDEM_RETURN_IF_ERROR(runtime.Charge(container.sequence() ? container.items().size() : 1));
  switch (container.kind()) {
    case Value::Kind::kString:
      if (!item.string()) {
        return TypeError(
            Format("'in <string>' requires string as left operand, not {}", item.TypeName()));
      }
      TANDEM_RETURN_IF_ERROR(runtime.Charge(container.weight()));
      return container.bytes().find(item.bytes()) != std::string::npos;
    case Value::Kind::kDict:
      TANDEM_RETURN_IF_ERROR(CheckHashable(item));
      return container.entries().Find(item) != nullptr;
    case Value::Kind::kList:
    case Value::Kind::kTuple:
      for (const Value& candidate : container.items()) {
        TANDEM_RETURN_IF_ERROR(runtime.Charge(std::min(candidate.weight(), item.weight())));
        if (Equal(candidate, item)) {
          return true;
        }
      }
      return false;
    case Value::Kind::kUndefined:
      return false;
    case Value::Kind::kObject: {
      TANDEM_ASSIGN_OR_RETURN(const std::optional<bool> known,
                              container.AsObject().Contains(runtime, item));
      if (known.has_value()) {
        return *known;
      }
      break;
    }
    default:
      break;
  }
  const std::unique_ptr<Iterator> iterator = TryIterate(container);
  if (iterator == nullptr) {
    return TypeError(Format("argument of type '{}' is not iterable", container.TypeName()));
  }
  while (true) {
    TANDEM_ASSIGN_OR_RETURN(const std::optional<Value> next, iterator->Next(runtime));
    if (!next.has_value()) {
      return false;
    }
    if (Equal(*next, item)) {
      return true;
    }
  }
}

Outcome<std::vector<Value>> SortedBy(Runtime& runtime, std::vector<Value> items,
                                     const std::vector<Value>& keys, bool reverse) {
  std::vector<std::size_t> order(items.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Raised failed;
  const auto before = [&](std::size_t a, std::size_t b) {
    if (!failed.ok()) {
      return false;
    }
    Raised paid = runtime.Charge(1);
    const Outcome<bool> less = paid.ok() ? CompareOrder(runtime, Comparison::kLt, keys[a], keys[b])
                                         : Outcome<bool>(std::move(paid));
    if (!less.ok()) {
      failed = less.status();
      return false;
    }
    return *less;
  };
  // A stable merge sort: it stays in bounds whatever `before` answers after a failure.
  if (reverse) {
    std::stable_sort(order.begin(), order.end(),
                     [&before](std::size_t a, std::size_t b) { return before(b, a); });
  } else {
    std::stable_sort(order.begin(), order.end(), before);
  }
  if (!failed.ok()) {
    return failed;
  }
  std::vector<Value> sorted;
  sorted.reserve(items.size());
  for (const std::size_t i : order) {
    sorted.push_back(std::move(items[i]));
  }
  return sorted;
}

Outcome<std::vector<DictRep::Entry>> SortedByKey(Runtime& runtime, const DictRep& dict) {
  std::vector<Value> keys;
  std::vector<Value> pairs;
  for (const auto& [key, value] : dict.entries()) {
    keys.push_back(key);
    pairs.push_back(Value::Tuple({key, value}));
  }
  TANDEM_ASSIGN_OR_RETURN(const std::vector<Value> sorted,
                          SortedBy(runtime, std::move(pairs), keys, false));
  std::vector<DictRep::Entry> entries;
  entries.reserve(sorted.size());
  for (const Value& pair : sorted) {
    entries.emplace_back(pair.items()[0], pair.items()[1]);
  }
  return entries;
}

}  // namespace tandem::jinja
