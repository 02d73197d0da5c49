#include <algorithm>

#include "base/format.h"
#include "text/jinja/comparison.h"
#include "text/jinja/filters.h"
#include "text/jinja/iteration.h"
#include "text/jinja/printing.h"

namespace tandem::jinja {
namespace {

// What an item is ordered by: its value at `path`, strings without case unless asked.
Outcome<Value> KeyOf(Runtime& runtime, const Value& item, const Value& path, const Value& fallback,
                     bool case_sensitive) {
  TANDEM_ASSIGN_OR_RETURN(const Value key, FollowPath(runtime, item, path, fallback));
  return case_sensitive ? key : IgnoreCase(runtime, key);
}

// sort's attribute may name several paths, separated by commas: the key is the list of them.
Outcome<Value> SortKey(Runtime& runtime, const Value& item, const Value& attribute,
                       bool case_sensitive) {
  std::vector<Value> keys;
  if (!attribute.string()) {
    TANDEM_ASSIGN_OR_RETURN(Value key, KeyOf(runtime, item, attribute, Value(), case_sensitive));
    return Value::List({std::move(key)});
  }
  const std::string_view paths = attribute.bytes();
  for (std::size_t at = 0; at <= paths.size();) {
    const std::size_t comma = std::min(paths.find(',', at), paths.size());
    const Value path = Value::String(paths.substr(at, comma - at), true);
    TANDEM_ASSIGN_OR_RETURN(Value key, KeyOf(runtime, item, path, Value(), case_sensitive));
    keys.push_back(std::move(key));
    at = comma + 1;
  }
  return Value::List(std::move(keys));
}

Outcome<Value> Sort(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(std::vector<Value> items, Collect(call.runtime, call.self));
  std::vector<Value> keys;
  for (const Value& item : items) {
    TANDEM_ASSIGN_OR_RETURN(Value key, SortKey(call.runtime, item, call[2], call.Flag(1, false)));
    keys.push_back(std::move(key));
  }
  TANDEM_ASSIGN_OR_RETURN(std::vector<Value> sorted,
                          SortedBy(call.runtime, std::move(items), keys, call.Flag(0, false)));
  return Value::List(std::move(sorted));
}

Outcome<Value> DictSort(Call& call) {
  const std::string by = call.Has(1) && call[1].string() ? call[1].bytes() : "key";
  if (by != "key" && by != "value") {
    return Raised("FilterArgumentError", "You can only sort by either \"key\" or \"value\"");
  }
  if (call.self.undefined()) {
    return call.self.undefined_info().Fail();
  }
  if (!call.self.dict()) {
    return Raised("AttributeError",
                  Format("'{}' object has no attribute 'items'", call.self.TypeName()));
  }
  std::vector<Value> pairs;
  std::vector<Value> keys;
  for (const auto& [key, value] : call.self.entries().entries()) {
    pairs.push_back(Value::Tuple({key, value}));
    const Value& ordered = by == "key" ? key : value;
    TANDEM_ASSIGN_OR_RETURN(Value order,
                            KeyOf(call.runtime, ordered, Value(), Value(), call.Flag(0, false)));
    keys.push_back(std::move(order));
  }
  TANDEM_ASSIGN_OR_RETURN(std::vector<Value> sorted,
                          SortedBy(call.runtime, std::move(pairs), keys, call.Flag(2, false)));
  return Value::List(std::move(sorted));
}

template <Comparison kBetter>
Outcome<Value> Extreme(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const std::vector<Value> items, Collect(call.runtime, call.self));
  if (items.empty()) {
    return Value::Undefined({.hint = "No aggregated item, sequence was empty."});
  }
  std::size_t best = 0;
  Value best_key;
  for (std::size_t i = 0; i < items.size(); ++i) {
    TANDEM_ASSIGN_OR_RETURN(Value key,
                            KeyOf(call.runtime, items[i], call[1], Value(), call.Flag(0, false)));
    bool better = i == 0;
    if (!better) {
      TANDEM_ASSIGN_OR_RETURN(better, Compare(call.runtime, kBetter, key, best_key));
    }
    if (better) {
      best = i;
      best_key = std::move(key);
    }
  }
  return items[best];
}

// What groupby gives: a pair that also has names.
class Group final : public Object {
 public:
  Group(Value grouper, Value list) : pair_(Value::Tuple({std::move(grouper), std::move(list)})) {}
  std::string_view TypeName() const override { return "_GroupTuple"; }
  bool Sequence() const override { return true; }
  Outcome<std::optional<Value>> Attribute(Runtime& /*runtime*/, std::string_view name) override {
    if (name == "grouper" || name == "list") {
      return std::optional<Value>(pair_.items()[name == "list" ? 1 : 0]);
    }
    return std::optional<Value>();
  }
  Outcome<std::optional<Value>> Item(Runtime& /*runtime*/, const Value& key) override {
    const Int index = key.integral() ? key.AsInt() + (key.AsInt() < 0 ? 2 : 0) : -1;
    if (index < 0 || index > 1) {
      return std::optional<Value>();
    }
    return std::optional<Value>(pair_.items()[static_cast<std::size_t>(index)]);
  }
  Outcome<std::optional<std::size_t>> Length(Runtime& /*runtime*/) override {
    return std::optional<std::size_t>(2);
  }
  std::unique_ptr<Iterator> Iterate() override { return TryIterate(pair_); }
  std::unique_ptr<Iterator> IterateReversed() override { return TryIterateReversed(pair_); }
  Outcome<MarkedText> Print(Runtime& runtime) override {
    return tandem::jinja::Print(runtime, pair_);
  }

 private:
  Value pair_;
};

Outcome<Value> GroupBy(Call& call) {
  const bool case_sensitive = call.Flag(2, false);
  TANDEM_ASSIGN_OR_RETURN(std::vector<Value> items, Collect(call.runtime, call.self));
  std::vector<Value> keys;
  for (const Value& item : items) {
    TANDEM_ASSIGN_OR_RETURN(Value key, KeyOf(call.runtime, item, call[0], call[1], case_sensitive));
    keys.push_back(std::move(key));
  }
  TANDEM_ASSIGN_OR_RETURN(items, SortedBy(call.runtime, std::move(items), keys, false));
  std::vector<Value> groups;
  for (std::size_t begin = 0; begin < items.size();) {
    TANDEM_ASSIGN_OR_RETURN(const Value key,
                            KeyOf(call.runtime, items[begin], call[0], call[1], case_sensitive));
    TANDEM_ASSIGN_OR_RETURN(const Value shown,
                            FollowPath(call.runtime, items[begin], call[0], call[1]));
    std::vector<Value> members = {items[begin++]};
    while (begin < items.size()) {
      TANDEM_ASSIGN_OR_RETURN(const Value next,
                              KeyOf(call.runtime, items[begin], call[0], call[1], case_sensitive));
      if (!Equal(key, next)) {
        break;
      }
      members.push_back(items[begin++]);
    }
    groups.push_back(Value::Of(std::make_shared<Group>(shown, Value::List(std::move(members)))));
  }
  return Value::List(std::move(groups));
}

constexpr Builtin kFilters[] = {
    {"dictsort", "[case_sensitive] [by] [reverse]", DictSort},
    {"groupby", "attribute [default] [case_sensitive]", GroupBy},
    {"max", "[case_sensitive] [attribute]", Extreme<Comparison::kGt>},
    {"min", "[case_sensitive] [attribute]", Extreme<Comparison::kLt>},
    {"sort", "[reverse] [case_sensitive] [attribute]", Sort},
};

}  // namespace

BuiltinTable OrderFilters() {
  return {std::begin(kFilters), std::end(kFilters)};
}

}  // namespace tandem::jinja
