#include <algorithm>

#include "base/format.h"
#include "text/jinja/filters.h"
#include "text/jinja/iteration.h"

namespace tandem::jinja {
namespace {

using Next = Outcome<std::optional<Value>>;

// The positional arguments from number `from` on, with all keywords.
Arguments Rest(const Arguments& arguments, std::size_t from) {
  Arguments rest;
  rest.keywords = arguments.keywords;
  for (std::size_t i = from; i < arguments.positional.size(); ++i) {
    rest.positional.push_back(arguments.positional[i]);
  }
  return rest;
}

// A generator over `input` that starts only when it is first asked, as Python's do; `step` turns
// each item into a result or into nothing.
Value Lazily(const Value& input, std::function<Next(Runtime&, const Value&)> step) {
  struct State {
    Value input;
    std::shared_ptr<Iterator> iterator;
    bool done = false;
  };
  auto state = std::make_shared<State>(State{input, nullptr, !input.Truthy()});
  return MakeGenerator([state, step = std::move(step)](Runtime& runtime) -> Next {
    if (!state->done && state->iterator == nullptr) {
      TANDEM_ASSIGN_OR_RETURN(std::unique_ptr<Iterator> iterator, Iterate(state->input));
      state->iterator = std::move(iterator);
    }
    while (!state->done) {
      TANDEM_RETURN_IF_ERROR(runtime.Charge(1));
      TANDEM_ASSIGN_OR_RETURN(const std::optional<Value> item, state->iterator->Next(runtime));
      if (!item.has_value()) {
        state->done = true;
        break;
      }
      TANDEM_ASSIGN_OR_RETURN(std::optional<Value> result, step(runtime, *item));
      if (result.has_value()) {
        return result;
      }
    }
    return std::optional<Value>();
  });
}

// A generator that fails when it is first asked.
Value Failing(const Raised& raised) {
  return MakeGenerator([raised](Runtime& /*runtime*/) -> Next { return raised; });
}

Outcome<Value> MapAttribute(Call& call) {
  Value attribute;
  Value fallback;
  for (const auto& [name, value] : call.raw.keywords) {
    if (name == "attribute") {
      attribute = value;
    } else if (name == "default") {
      fallback = value;
    } else {
      return Failing(
          Raised("FilterArgumentError", Format("Unexpected keyword argument '{}'", name)));
    }
  }
  return Lazily(call.self, [attribute, fallback](Runtime& runtime, const Value& item) -> Next {
    TANDEM_ASSIGN_OR_RETURN(Value found, FollowPath(runtime, item, attribute, fallback));
    return std::optional<Value>(std::move(found));
  });
}

Outcome<Value> Map(Call& call) {
  const auto& keywords = call.raw.keywords;
  const bool attribute = std::any_of(keywords.begin(), keywords.end(), [](const auto& keyword) {
    return keyword.first == "attribute";
  });
  if (!call.self.Truthy()) {
    return Lazily(call.self, nullptr);
  }
  if (call.raw.positional.empty()) {
    return attribute ? MapAttribute(call)
                     : Failing(Raised("FilterArgumentError", "map requires a filter argument"));
  }
  return Lazily(call.self,
                [name = call.raw.positional[0], arguments = Rest(call.raw, 1)](
                    Runtime& runtime, const Value& item) -> Next {
                  TANDEM_ASSIGN_OR_RETURN(Value mapped, CallFilter(runtime, name, item, arguments));
                  return std::optional<Value>(std::move(mapped));
                });
}

template <bool kKeep, bool kByAttribute>
Outcome<Value> Select(Call& call) {
  const std::vector<Value>& positional = call.raw.positional;
  if (!call.self.Truthy()) {
    return Lazily(call.self, nullptr);
  }
  if (kByAttribute && positional.empty()) {
    return Failing(Raised("FilterArgumentError", "Missing parameter for attribute name"));
  }
  constexpr std::size_t kTest = kByAttribute ? 1 : 0;
  const Value path = kByAttribute ? positional[0] : Value();
  const Value test = positional.size() > kTest ? positional[kTest] : Value();
  return Lazily(call.self,
                [path, test, arguments = Rest(call.raw, kTest + 1)](Runtime& runtime,
                                                                    const Value& item) -> Next {
                  TANDEM_ASSIGN_OR_RETURN(const Value subject,
                                          FollowPath(runtime, item, path, Value()));
                  bool passes = subject.Truthy();
                  if (!test.missing()) {
                    TANDEM_ASSIGN_OR_RETURN(passes, CallTest(runtime, test, subject, arguments));
                  }
                  return passes == kKeep ? std::optional<Value>(item) : std::nullopt;
                });
}

Outcome<Value> Unique(Call& call) {
  auto seen = std::make_shared<DictRep>();
  const bool case_sensitive = call.Flag(0, false);
  // unique() has no `if value` of its own: what cannot be iterated fails when walked.
  TANDEM_ASSIGN_OR_RETURN(const std::vector<Value> items, Collect(call.runtime, call.self));
  return Lazily(
      Value::List(items),
      [seen, case_sensitive, path = call[1]](Runtime& runtime, const Value& item) -> Next {
        TANDEM_ASSIGN_OR_RETURN(Value key, FollowPath(runtime, item, path, Value()));
        if (!case_sensitive) {
          TANDEM_ASSIGN_OR_RETURN(key, IgnoreCase(runtime, key));
        }
        TANDEM_RETURN_IF_ERROR(CheckHashable(key));
        if (seen->Find(key) != nullptr) {
          return std::optional<Value>();
        }
        seen->Set(key, Value::None());
        return std::optional<Value>(item);
      });
}

constexpr Builtin kFilters[] = {
    {"map", "*", Map},
    {"reject", "*", Select<false, false>},
    {"rejectattr", "*", Select<false, true>},
    {"select", "*", Select<true, false>},
    {"selectattr", "*", Select<true, true>},
    {"unique", "[case_sensitive] [attribute]", Unique},
};

}  // namespace

BuiltinTable SelectionFilters() {
  return {std::begin(kFilters), std::end(kFilters)};
}

}  // namespace tandem::jinja
