#include <algorithm>

#include "base/format.h"
#include "text/jinja/filters.h"
#include "text/jinja/iteration.h"
#include "text/jinja/lookup.h"
#include "text/jinja/operators.h"

namespace tandem::jinja {
namespace {

Value NoItem(std::string hint) {
  return Value::Undefined({.hint = std::move(hint)});
}

Outcome<Value> Default(Call& call) {
  const bool replace = call.self.undefined() || (call.Flag(1, false) && !call.self.Truthy());
  if (!replace) {
    return call.self;
  }
  return call.Has(0) ? call[0] : Value::String("", true);
}

Outcome<Value> Attr(Call& call) {
  if (call.self.undefined()) {
    return call.self.undefined_info().Fail();
  }
  if (!call[0].string()) {
    return TypeError("attribute name must be string");
  }
  TANDEM_ASSIGN_OR_RETURN(const bool exists,
                          HasAttribute(call.runtime, call.self, call[0].bytes()));
  if (!exists) {
    return Value::Undefined({.object_type = ObjectTypeName(call.self), .name = call[0].bytes()});
  }
  return GetAttribute(call.runtime, call.self, call[0].bytes());
}

Outcome<Value> Length(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const std::size_t length, LengthOf(call.runtime, call.self));
  return Value::Integer(static_cast<Int>(length));
}

Outcome<Value> First(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<Iterator> iterator, Iterate(call.self));
  TANDEM_ASSIGN_OR_RETURN(std::optional<Value> first, iterator->Next(call.runtime));
  return first.has_value() ? *std::move(first) : NoItem("No first item, sequence was empty.");
}

Outcome<Value> Last(Call& call) {
  if (call.self.undefined()) {
    return NoItem("No last item, sequence was empty.");
  }
  const std::unique_ptr<Iterator> iterator = TryIterateReversed(call.self);
  if (iterator == nullptr) {
    return TypeError(Format("'{}' object is not reversible", call.self.TypeName()));
  }
  TANDEM_ASSIGN_OR_RETURN(std::optional<Value> last, iterator->Next(call.runtime));
  return last.has_value() ? *std::move(last) : NoItem("No last item, sequence was empty.");
}

Outcome<Value> List(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(std::vector<Value> items, Collect(call.runtime, call.self));
  return Value::List(std::move(items));
}

// A generator, so that a non-mapping fails only when it is walked.
Outcome<Value> Items(Call& call) {
  std::shared_ptr<Iterator> pairs;
  if (call.self.undefined()) {
    pairs = TryIterate(call.self);
  } else if (call.self.dict()) {
    pairs = TryIterate(MakeDictView(DictView::kItems, call.self));
  }
  return MakeGenerator([pairs](Runtime& runtime) -> Outcome<std::optional<Value>> {
    if (pairs == nullptr) {
      return TypeError("Can only get item pairs from a mapping.");
    }
    return pairs->Next(runtime);
  });
}

std::string_view ReverseTypeName(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kList:
      return "list_reverseiterator";
    case Value::Kind::kDict:
      return "dict_reversekeyiterator";
    case Value::Kind::kObject:
      return value.TypeName() == "range" ? "range_iterator" : "dict_reverseitemiterator";
    default:
      return "reversed";
  }
}

Outcome<Value> Reverse(Call& call) {
  if (call.self.string()) {
    return Slice(call.runtime, call.self, Value(), Value(), Value::Integer(-1));
  }
  std::unique_ptr<Iterator> iterator =
      call.self.undefined() ? TryIterate(call.self) : TryIterateReversed(call.self);
  if (iterator != nullptr) {
    return MakeIteratorValue(ReverseTypeName(call.self), std::move(iterator));
  }
  if (TryIterate(call.self) == nullptr) {
    return Raised("FilterArgumentError", "argument must be iterable");
  }
  TANDEM_ASSIGN_OR_RETURN(std::vector<Value> items, Collect(call.runtime, call.self));
  std::reverse(items.begin(), items.end());
  return Value::List(std::move(items));
}

// Groups of `size` items, the last one filled up when there is something to fill with.
Outcome<Value> Batch(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const Int size, call.Integer(0, 0));
  TANDEM_ASSIGN_OR_RETURN(const std::vector<Value> items, Collect(call.runtime, call.self));
  const bool fill = call.Has(1) && !call[1].none();
  std::vector<Value> batches;
  std::vector<Value> batch;
  for (const Value& item : items) {
    if (!batch.empty() && static_cast<Int>(batch.size()) == size) {
      batches.push_back(Value::List(std::move(batch)));
      batch = {};
    }
    batch.push_back(item);
  }
  if (!batch.empty()) {
    while (fill && static_cast<Int>(batch.size()) < size) {
      TANDEM_RETURN_IF_ERROR(call.runtime.Charge(1));
      batch.push_back(call[1]);
    }
    batches.push_back(Value::List(std::move(batch)));
  }
  return MakeIteratorValue("generator", TryIterate(Value::List(std::move(batches))));
}

// The items dealt into `count` columns of almost equal length.
Outcome<Value> SliceFilter(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const Int count, call.Integer(0, 0));
  TANDEM_ASSIGN_OR_RETURN(const std::vector<Value> items, Collect(call.runtime, call.self));
  if (count == 0) {
    return Raised("ZeroDivisionError", "integer division or modulo by zero");
  }
  const bool fill = call.Has(1) && !call[1].none();
  const auto length = static_cast<Int>(items.size());
  std::vector<Value> slices;
  Int begin = 0;
  for (Int i = 0; i < count; ++i) {
    TANDEM_RETURN_IF_ERROR(call.runtime.Charge(1));
    const bool longer = i < length % count;
    const Int end = begin + length / count + (longer ? 1 : 0);
    std::vector<Value> slice(items.begin() + static_cast<std::ptrdiff_t>(begin),
                             items.begin() + static_cast<std::ptrdiff_t>(end));
    if (fill && !longer) {
      slice.push_back(call[1]);
    }
    slices.push_back(Value::List(std::move(slice)));
    begin = end;
  }
  return MakeIteratorValue("generator", TryIterate(Value::List(std::move(slices))));
}

Outcome<Value> Sum(Call& call) {
  Value total = call.Has(1) ? call[1] : Value::Integer(0);
  if (total.string()) {
    return TypeError("sum() can't sum strings [use ''.join(seq) instead]");
  }
  TANDEM_ASSIGN_OR_RETURN(const std::vector<Value> items, Collect(call.runtime, call.self));
  for (const Value& item : items) {
    TANDEM_ASSIGN_OR_RETURN(const Value term, FollowPath(call.runtime, item, call[0], Value()));
    TANDEM_ASSIGN_OR_RETURN(total, Apply(call.runtime, BinaryOperator::kAdd, total, term));
  }
  return total;
}

Outcome<Value> NotHere(Call& /*call*/) {
  return Raised("NotImplementedError", "a rendering may not depend on chance");
}

constexpr Builtin kFilters[] = {
    {"attr", "name", Attr},
    {"batch", "linecount [fill_with]", Batch},
    {"count", "/", Length},
    {"d", "[default_value] [boolean]", Default},
    {"default", "[default_value] [boolean]", Default},
    {"first", "", First},
    {"items", "", Items},
    {"last", "", Last},
    {"length", "/", Length},
    {"list", "", List},
    {"random", "", NotHere},
    {"reverse", "", Reverse},
    {"slice", "slices [fill_with]", SliceFilter},
    {"sum", "[attribute] [start]", Sum},
};

}  // namespace

BuiltinTable SequenceFilters() {
  return {std::begin(kFilters), std::end(kFilters)};
}

}  // namespace tandem::jinja
