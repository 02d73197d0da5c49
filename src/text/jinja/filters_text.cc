#include <algorithm>

#include "base/format.h"
#include "base/utf8.h"
#include "text/jinja/characters.h"
#include "text/jinja/filters.h"
#include "text/jinja/iteration.h"
#include "text/jinja/operators.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_format.h"
#include "text/jinja/text_methods.h"

namespace tandem::jinja {
namespace {

template <CaseChange kChange>
Outcome<Value> Case(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const Value text, SoftString(call.runtime, call.self));
  return ChangeCase(call.runtime, text, kChange);
}

Outcome<Value> Center(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const Value text, SoftString(call.runtime, call.self));
  TANDEM_ASSIGN_OR_RETURN(const Int width, call.Integer(0, 80));
  return JustifyText(call.runtime, text, width, Value(), Justify::kCenter);
}

Outcome<Value> Trim(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const Value text, SoftString(call.runtime, call.self));
  return Strip(call.runtime, text, call[0], true, true);
}

Outcome<Value> String(Call& call) {
  return SoftString(call.runtime, call.self);
}

// Without autoescape every argument is a plain string; with it, markup decides who is escaped.
Outcome<Value> ReplaceFilter(Call& call) {
  Int count = -1;
  if (call.Has(2) && !call[2].none()) {
    TANDEM_ASSIGN_OR_RETURN(count, call.Integer(2, -1));
  }
  TANDEM_ASSIGN_OR_RETURN(Value text, SoftString(call.runtime, call.self));
  TANDEM_ASSIGN_OR_RETURN(Value old_text, SoftString(call.runtime, call[0]));
  TANDEM_ASSIGN_OR_RETURN(Value new_text, SoftString(call.runtime, call[1]));
  if (!call.runtime.autoescape()) {
    return Replace(call.runtime, text.WithMarkup(false), old_text, new_text, count);
  }
  if (old_text.markup() || (new_text.markup() && !text.markup())) {
    TANDEM_ASSIGN_OR_RETURN(text, Escape(call.runtime, text));
  }
  if (text.markup()) {
    TANDEM_ASSIGN_OR_RETURN(new_text, Escape(call.runtime, new_text));
  }
  return Replace(call.runtime, text, old_text, new_text, count);
}

Outcome<Value> FormatFilter(Call& call) {
  if (!call.raw.positional.empty() && !call.raw.keywords.empty()) {
    return Raised("FilterArgumentError",
                  "can't handle positional and keyword arguments at the same time");
  }
  TANDEM_ASSIGN_OR_RETURN(const Value format, SoftString(call.runtime, call.self));
  if (call.raw.keywords.empty()) {
    return FormatPercent(call.runtime, format, Value::Tuple(call.raw.positional));
  }
  DictRep keywords;
  for (const auto& [name, value] : call.raw.keywords) {
    keywords.Set(Value::String(name, true), value);
  }
  return FormatPercent(call.runtime, format, Value::Dict(std::move(keywords)));
}

// s += newline, then lines joined again: a final newline of the text is lost, as in jinja2.
Outcome<Value> Indent(Call& call) {
  if (call.self.undefined()) {
    return call.self.undefined_info().Fail();
  }
  if (call.self.kind() == Value::Kind::kList) {  // [] += "\n" works in Python
    return Raised("AttributeError", "'list' object has no attribute 'splitlines'");
  }
  if (!call.self.string()) {
    return TypeError(
        Format("unsupported operand type(s) for +=: '{}' and 'str'", call.self.TypeName()));
  }
  Value indent = call.Has(0) && call[0].string() ? call[0] : Value();
  if (indent.missing()) {
    TANDEM_ASSIGN_OR_RETURN(const Int width, call.Integer(0, 4));
    TANDEM_ASSIGN_OR_RETURN(indent, Repeat(call.runtime, Value::String(" ", true), width));
  }
  const bool blank = call.Flag(2, false);
  TANDEM_ASSIGN_OR_RETURN(std::vector<Value> lines, SplitLines(call.runtime, call.self, false));
  const std::string_view bytes = call.self.bytes();
  const bool ends_in_break =
      !bytes.empty() &&
      IsLineBreak(DecodeUtf8(bytes.substr(PreviousCharacter(bytes, bytes.size()))).code_point);
  // "a\r" + "\n" is one line break, so it adds no empty line.
  if (bytes.empty() || (ends_in_break && bytes.back() != '\r')) {
    lines.push_back(Part(call.self, 0, 0));
  }
  MarkedText out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const MarkedText& line = lines[i].text().text;
    if (i > 0) {
      out.Append("\n", true);
    }
    if (i == 0 ? call.Flag(1, false) : blank || !line.empty()) {
      out.Append(indent.text().text);
    }
    out.Append(line);
    TANDEM_RETURN_IF_ERROR(call.runtime.CheckSize(out.size()));
  }
  TANDEM_ASSIGN_OR_RETURN(const Value text, call.runtime.Text(std::move(out)));
  return text.WithMarkup(call.self.markup());
}

Outcome<Value> Truncate(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const std::size_t own_length, LengthOf(call.runtime, call.self));
  TANDEM_ASSIGN_OR_RETURN(const Int length, call.Integer(0, 255));
  const Value end = call.Has(2) ? call[2] : Value::String("...", true);
  const bool default_leeway = !call.Has(3) || call[3].none();
  TANDEM_ASSIGN_OR_RETURN(const Int leeway, default_leeway ? Outcome<Int>(5) : call.Integer(3, 5));
  if (!end.string()) {
    return TypeError(Format("object of type '{}' has no len()", end.TypeName()));
  }
  const auto end_length = static_cast<Int>(end.text().length);
  if (length < end_length || leeway < 0) {
    return Raised("AssertionError",
                  length < end_length ? Format("expected length >= {}, got {}", end_length, length)
                                      : Format("expected leeway >= 0, got {}", leeway));
  }
  if (static_cast<Int>(own_length) <= length + leeway) {
    return call.self;
  }
  if (!call.self.string()) {
    return TypeError(Format("can only concatenate {0} (not \"str\") to {0}", call.self.TypeName()));
  }
  TANDEM_ASSIGN_OR_RETURN(Value kept, Slice(call.runtime, call.self, Value(),
                                            Value::Integer(length - end_length), Value()));
  if (!call.Flag(1, false)) {
    TANDEM_ASSIGN_OR_RETURN(const std::vector<Value> words,
                            Split(call.runtime, kept, Value::String(" ", true), 1, true));
    kept = words.front();
  }
  return Apply(call.runtime, BinaryOperator::kAdd, kept, end);
}

Outcome<Value> WordCount(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const Value text, SoftString(call.runtime, call.self));
  const std::string_view bytes = text.bytes();
  Int count = 0;
  bool inside = false;
  for (std::size_t at = 0; at < bytes.size();) {
    const Utf8Char c = DecodeUtf8(bytes.substr(at));
    const bool word = IsWord(c.code_point);
    count += word && !inside ? 1 : 0;
    inside = word;
    at += c.length;
  }
  return Value::Integer(count);
}

Outcome<Value> JoinFilter(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(std::vector<Value> items, Collect(call.runtime, call.self));
  Value separator = call.Has(0) ? call[0] : Value::String("", true);
  bool any_markup = false;
  for (Value& item : items) {
    TANDEM_ASSIGN_OR_RETURN(item, FollowPath(call.runtime, item, call[1], Value()));
    TANDEM_ASSIGN_OR_RETURN(item, SoftString(call.runtime, item));
    any_markup = any_markup || item.markup();
  }
  TANDEM_ASSIGN_OR_RETURN(separator, SoftString(call.runtime, separator));
  if (!call.runtime.autoescape()) {
    separator = separator.WithMarkup(false);
  } else if (any_markup) {
    TANDEM_ASSIGN_OR_RETURN(separator, Escape(call.runtime, separator));
  }
  return Join(call.runtime, separator, items);
}

constexpr Builtin kFilters[] = {
    {"capitalize", "", Case<CaseChange::kCapitalize>},
    {"center", "[width]", Center},
    {"format", "*", FormatFilter},
    {"indent", "[width] [first] [blank]", Indent},
    {"join", "[d] [attribute]", JoinFilter},
    {"lower", "", Case<CaseChange::kLower>},
    {"replace", "old new [count]", ReplaceFilter},
    {"string", "", String},
    {"title", "", Case<CaseChange::kWords>},
    {"trim", "[chars]", Trim},
    {"truncate", "[length] [killwords] [end] [leeway]", Truncate},
    {"upper", "", Case<CaseChange::kUpper>},
    {"wordcount", "", WordCount},
};

}  // namespace

BuiltinTable TextFilters() {
  return {std::begin(kFilters), std::end(kFilters)};
}

}  // namespace tandem::jinja
