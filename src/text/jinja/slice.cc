#include <algorithm>

#include "base/format.h"
#include "text/jinja/characters.h"
#include "text/jinja/iteration.h"
#include "text/jinja/operators.h"

namespace tandem::jinja {
namespace {

// Indices first, first + step, ... of a sequence: `count` of them.
struct Range {
  Int first = 0;
  Int step = 1;
  Int count = 0;
};

Outcome<Int> Bound(const Value& bound, Int fallback) {
  if (bound.missing() || bound.none()) {
    return fallback;
  }
  if (!bound.integral()) {
    return TypeError("slice indices must be integers or None or have an __index__ method");
  }
  return bound.AsInt();
}

// Python's slice.indices(length).
Outcome<Range> Resolve(Int length, const Value& start, const Value& stop, const Value& step) {
  TANDEM_ASSIGN_OR_RETURN(Int stride, Bound(step, 1));
  if (stride == 0) {
    return ValueError("slice step cannot be zero");
  }
  stride = std::clamp(stride, -length - 1, length + 1);
  const bool backwards = stride < 0;
  const Int lowest = backwards ? -1 : 0;
  const Int highest = backwards ? length - 1 : length;
  const auto clamp = [&](Int index) {
    return std::clamp(index < 0 ? index + length : index, lowest, highest);
  };
  Int first = backwards ? highest : lowest;
  Int last = backwards ? lowest : highest;
  if (!start.missing() && !start.none()) {
    TANDEM_ASSIGN_OR_RETURN(const Int given, Bound(start, 0));
    first = clamp(std::max(given, -length - 1));
  }
  if (!stop.missing() && !stop.none()) {
    TANDEM_ASSIGN_OR_RETURN(const Int given, Bound(stop, 0));
    last = clamp(std::max(given, -length - 1));
  }
  const Int distance = backwards ? first - last : last - first;
  const Int magnitude = backwards ? -stride : stride;
  return Range{first, stride, distance <= 0 ? 0 : (distance + magnitude - 1) / magnitude};
}

Outcome<Value> SliceText(Runtime& runtime, const Value& value, const Range& range) {
  const TextRep& rep = value.text();
  MarkedText out;
  const auto count = static_cast<std::size_t>(range.count);
  if (range.step == 1) {
    const auto first = static_cast<std::size_t>(range.first);
    const std::string_view bytes = rep.text.bytes();
    const std::size_t begin = rep.ascii() ? first : SkipCharacters(bytes, 0, first);
    const std::size_t end = rep.ascii() ? first + count : SkipCharacters(bytes, begin, count);
    out = range.count == 0 ? MarkedText() : rep.text.Substr(begin, end);
  } else {
    std::vector<std::size_t> offsets;  // of every character, and the end
    for (std::size_t at = 0; at < rep.text.size(); at = SkipCharacters(rep.text.bytes(), at, 1)) {
      offsets.push_back(at);
    }
    offsets.push_back(rep.text.size());
    for (Int i = 0; i < range.count; ++i) {
      const auto index = static_cast<std::size_t>(range.first + i * range.step);
      out.AppendRange(rep.text, offsets[index], offsets[index + 1]);
    }
  }
  TANDEM_RETURN_IF_ERROR(runtime.Charge(value.weight()));
  TANDEM_ASSIGN_OR_RETURN(const Value part, runtime.Text(std::move(out)));
  return part.WithMarkup(value.markup());
}

}  // namespace

Outcome<Value> Slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
                     const Value& step) {
  if (value.undefined()) {
    return value.undefined_info().Fail();
  }
  if (value.dict()) {
    return TypeError("unhashable type: 'slice'");
  }
  if (value.object() && value.AsObject().Sequence()) {  // a range: as a list
    TANDEM_ASSIGN_OR_RETURN(std::vector<Value> items, Collect(runtime, value));
    return Slice(runtime, Value::List(std::move(items)), start, stop, step);
  }
  if (!value.string() && !value.sequence()) {
    return TypeError(Format("'{}' object is not subscriptable", value.TypeName()));
  }
  const std::size_t length = value.string() ? value.text().length : value.items().size();
  TANDEM_ASSIGN_OR_RETURN(const Range range, Resolve(static_cast<Int>(length), start, stop, step));
  if (value.string()) {
    return SliceText(runtime, value, range);
  }
  TANDEM_RETURN_IF_ERROR(runtime.Charge(static_cast<std::uint64_t>(range.count)));
  std::vector<Value> items;
  items.reserve(static_cast<std::size_t>(range.count));
  for (Int i = 0; i < range.count; ++i) {
    items.push_back(value.items()[static_cast<std::size_t>(range.first + i * range.step)]);
  }
  return value.kind() == Value::Kind::kList ? Value::List(std::move(items))
                                            : Value::Tuple(std::move(items));
}

}  // namespace tandem::jinja
