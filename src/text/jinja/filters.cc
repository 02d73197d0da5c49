#include "text/jinja/filters.h"

#include <algorithm>

#include "base/format.h"
#include "text/jinja/lookup.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_methods.h"

namespace tandem::jinja {
namespace {

Raised NoSuch(Runtime& runtime, std::string_view kind, const Value& name) {
  const Outcome<MarkedText> shown = Repr(runtime, name);
  std::string message = Format("No {} named {}.", kind, shown.ok() ? shown->bytes() : "?");
  if (name.undefined()) {
    message += Format(" ({}; did you forget to quote the callable name?)",
                      name.undefined_info().Message());
  }
  return Raised("TemplateRuntimeError", std::move(message));
}

}  // namespace

const Builtin* FindFilter(std::string_view name) {
  for (const BuiltinTable& table : {TextFilters(), MarkupFilters(), NumberFilters(),
                                    SequenceFilters(), SelectionFilters(), OrderFilters()}) {
    if (const Builtin* found = table.Find(name)) {
      return found;
    }
  }
  return nullptr;
}

Outcome<Value> CallFilter(Runtime& runtime, const Value& name, const Value& input,
                          const Arguments& arguments) {
  const Builtin* const filter = name.string() ? FindFilter(name.bytes()) : nullptr;
  if (filter == nullptr) {
    return NoSuch(runtime, "filter", name);
  }
  return Invoke(runtime, *filter, input, arguments);
}

Outcome<bool> CallTest(Runtime& runtime, const Value& name, const Value& subject,
                       const Arguments& arguments) {
  const Builtin* const test = name.string() ? FindTest(name.bytes()) : nullptr;
  if (test == nullptr) {
    return NoSuch(runtime, "test", name);
  }
  TANDEM_ASSIGN_OR_RETURN(const Value answer, Invoke(runtime, *test, subject, arguments));
  return answer.Truthy();
}

Outcome<Value> FollowPath(Runtime& runtime, Value item, const Value& path, const Value& fallback) {
  if (path.missing() || path.none()) {
    return item;
  }
  if (!path.string()) {
    TANDEM_ASSIGN_OR_RETURN(Value found, GetItem(runtime, item, path));
    if (found.undefined() && !fallback.missing() && !fallback.none()) {
      return fallback;
    }
    return found;
  }
  const std::string_view text = path.bytes();
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t dot = std::min(text.find('.', at), text.size());
    const std::string_view part = text.substr(at, dot - at);
    const bool index = !part.empty() && part.size() < 18 &&
                       part.find_first_not_of("0123456789") == std::string_view::npos;
    const Value key =
        index ? Value::Integer(std::stoll(std::string(part))) : Value::String(part, true);
    TANDEM_ASSIGN_OR_RETURN(item, GetItem(runtime, item, key));
    if (item.undefined() && !fallback.missing() && !fallback.none()) {
      item = fallback;
    }
    at = dot + 1;
  }
  return item;
}

Outcome<Value> IgnoreCase(Runtime& runtime, const Value& value) {
  return value.string() ? ChangeCase(runtime, value, CaseChange::kLower) : value;
}

}  // namespace tandem::jinja
