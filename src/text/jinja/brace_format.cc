#include <algorithm>

#include "base/format.h"
#include "text/jinja/characters.h"
#include "text/jinja/lookup.h"
#include "text/jinja/number_format.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_format.h"

namespace tandem::jinja {
namespace {

constexpr std::size_t kUnused = static_cast<std::size_t>(-1);

// Walks a str.format template.
class BraceFormatter {
 public:
  BraceFormatter(Runtime& runtime, bool markup, const Arguments* arguments, const Value* mapping)
      : runtime_(runtime), markup_(markup), arguments_(arguments), mapping_(mapping) {}

  // `depth`: how many levels of fields inside format specifications are left.
  Outcome<MarkedText> Run(const MarkedText& text, int depth);

 private:
  Outcome<std::size_t> FieldEnd(std::string_view bytes, std::size_t begin) const;
  Outcome<MarkedText> Field(const MarkedText& field, int depth);
  Outcome<Value> Resolve(std::string_view name);
  Outcome<Value> First(std::string_view first);
  Outcome<MarkedText> Convert(const Value& value, char conversion, std::string_view spec);

  Runtime& runtime_;
  bool markup_;
  const Arguments* arguments_;
  const Value* mapping_;
  std::size_t next_ = 0;  // of {} fields, or kUnused once {0} was used
  bool automatic_ = false;
};

bool IsIndex(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
         text.size() < 10;
}

std::size_t ToIndex(std::string_view digits) {
  std::size_t index = 0;
  for (const char c : digits) {
    index = index * 10 + static_cast<std::size_t>(c - '0');
  }
  return index;
}

Outcome<MarkedText> BraceFormatter::Run(const MarkedText& text, int depth) {
  const std::string_view bytes = text.bytes();
  MarkedText out;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t brace = std::min(bytes.find_first_of("{}", at), bytes.size());
    out.AppendRange(text, at, brace);
    at = brace;
    if (at == bytes.size()) {
      break;
    }
    if (at + 1 < bytes.size() && bytes[at + 1] == bytes[at]) {
      out.AppendRange(text, at, at + 1);
      at += 2;
      continue;
    }
    if (bytes[at] == '}') {
      return ValueError("Single '}' encountered in format string");
    }
    TANDEM_ASSIGN_OR_RETURN(const std::size_t end, FieldEnd(bytes, at + 1));
    TANDEM_ASSIGN_OR_RETURN(const MarkedText field, Field(text.Substr(at + 1, end), depth));
    out.Append(field);
    TANDEM_RETURN_IF_ERROR(runtime_.CheckSize(out.size()));
    at = end + 1;
  }
  return out;
}

Outcome<std::size_t> BraceFormatter::FieldEnd(std::string_view bytes, std::size_t begin) const {
  if (begin == bytes.size()) {
    return ValueError("Single '{' encountered in format string");
  }
  int open = 1;
  for (std::size_t i = begin; i < bytes.size(); ++i) {
    open += bytes[i] == '{' ? 1 : bytes[i] == '}' ? -1 : 0;
    if (open == 0) {
      return i;
    }
  }
  return ValueError("expected '}' before end of string");
}

Outcome<MarkedText> BraceFormatter::Field(const MarkedText& field, int depth) {
  if (depth == 0) {
    return ValueError("Max string recursion exceeded");
  }
  const std::string_view bytes = field.bytes();
  // The name ends at ! or :, but not inside [ ].
  std::size_t end = 0;
  for (bool inside = false; end < bytes.size(); ++end) {
    inside = bytes[end] == '[' || (inside && bytes[end] != ']');
    if (!inside && (bytes[end] == '!' || bytes[end] == ':')) {
      break;
    }
  }
  TANDEM_ASSIGN_OR_RETURN(const Value value, Resolve(bytes.substr(0, end)));
  char conversion = 0;
  if (end < bytes.size() && bytes[end] == '!') {
    if (end + 1 >= bytes.size()) {
      return ValueError("end of string while looking for conversion specifier");
    }
    conversion = bytes[end + 1];
    end += 2;
    if (end < bytes.size() && bytes[end] != ':') {
      return ValueError("expected ':' after conversion specifier");
    }
  }
  const std::size_t spec_begin = std::min(end + 1, bytes.size());
  TANDEM_ASSIGN_OR_RETURN(const MarkedText spec,
                          Run(field.Substr(spec_begin, bytes.size()), depth - 1));
  return Convert(value, conversion, spec.bytes());
}

Outcome<Value> BraceFormatter::First(std::string_view first) {
  if (first.empty() || IsIndex(first)) {
    if (first.empty() ? next_ == kUnused : automatic_) {
      return ValueError(
          "cannot switch from manual field specification to automatic field numbering");
    }
    const std::size_t index = first.empty() ? next_++ : ToIndex(first);
    automatic_ = first.empty();
    next_ = first.empty() ? next_ : kUnused;
    if (arguments_ == nullptr || index >= arguments_->positional.size()) {
      return Raised("IndexError", "tuple index out of range");
    }
    return arguments_->positional[index];
  }
  if (mapping_ != nullptr) {
    const Value* found = mapping_->dict() ? mapping_->entries().Find(first) : nullptr;
    return found == nullptr ? Outcome<Value>(Raised("KeyError", QuotedRepr(first))) : *found;
  }
  for (const auto& [name, value] : arguments_->keywords) {
    if (name == first) {
      return value;
    }
  }
  return Raised("KeyError", QuotedRepr(first));
}

Outcome<Value> BraceFormatter::Resolve(std::string_view name) {
  std::size_t at = std::min(name.find_first_of(".["), name.size());
  TANDEM_ASSIGN_OR_RETURN(Value value, First(name.substr(0, at)));
  while (at < name.size()) {
    const bool attribute = name[at] == '.';
    if (!attribute && name[at] != '[') {
      return ValueError("Only '.' or '[' may follow ']' in format field specifier");
    }
    const std::size_t begin = at + 1;
    const std::size_t end =
        std::min(attribute ? name.find_first_of(".[", begin) : name.find(']', begin), name.size());
    if (!attribute && end == name.size()) {
      return ValueError("Missing ']' in format string");
    }
    const std::string_view part = name.substr(begin, end - begin);
    if (part.empty()) {
      return ValueError("Empty attribute in format string");
    }
    if (attribute) {
      TANDEM_ASSIGN_OR_RETURN(value, GetAttribute(runtime_, value, part));
    } else {
      const Value key = IsIndex(part) ? Value::Integer(static_cast<Int>(ToIndex(part)))
                                      : Value::String(part, true);
      TANDEM_ASSIGN_OR_RETURN(value, GetItem(runtime_, value, key));
    }
    at = attribute ? end : end + 1;
  }
  return value;
}

Outcome<MarkedText> BraceFormatter::Convert(const Value& value, char conversion,
                                            std::string_view spec_text) {
  Value source = value;
  if (conversion == 'r' || conversion == 'a' || conversion == 's') {
    TANDEM_ASSIGN_OR_RETURN(MarkedText text,
                            conversion == 's' ? Print(runtime_, value) : Repr(runtime_, value));
    TANDEM_ASSIGN_OR_RETURN(source, runtime_.Text(std::move(text)));
  } else if (conversion != 0) {
    return ValueError(Format("Unknown conversion specifier {}", conversion));
  }
  TANDEM_ASSIGN_OR_RETURN(const FormatSpec spec, ParseFormatSpec(spec_text));
  MarkedText text;
  if (source.number() && !(spec_text.empty() && source.kind() == Value::Kind::kBool)) {
    TANDEM_ASSIGN_OR_RETURN(std::string digits, FormatNumber(source, spec));
    text = Pad(MarkedText(std::move(digits), source.trusted()), spec, '>');
  } else if (source.string() && !spec_text.empty()) {
    if (spec.type != 0 && spec.type != 's') {
      return ValueError(Format("Unknown format code '{}' for object of type 'str'", spec.type));
    }
    text = source.text().text;
    if (spec.has_precision) {
      text = text.Substr(0, SkipCharacters(text.bytes(), 0, spec.precision));
    }
    text = Pad(text, spec, '<');
  } else if (!spec_text.empty()) {
    return TypeError(
        Format("unsupported format string passed to {}.__format__", source.TypeName()));
  } else {
    TANDEM_ASSIGN_OR_RETURN(text, Print(runtime_, source));
  }
  return markup_ && !source.markup() ? EscapeHtml(text) : text;
}

Outcome<Value> Finish(Runtime& runtime, const Value& format, Outcome<MarkedText> text) {
  if (!text.ok()) {
    return text.status();
  }
  TANDEM_ASSIGN_OR_RETURN(const Value formatted, runtime.Text(*std::move(text)));
  return formatted.WithMarkup(format.markup());
}

}  // namespace

Outcome<Value> FormatBraces(Runtime& runtime, const Value& format, const Arguments& arguments) {
  BraceFormatter formatter(runtime, format.markup(), &arguments, nullptr);
  return Finish(runtime, format, formatter.Run(format.text().text, 2));
}

Outcome<Value> FormatBraces(Runtime& runtime, const Value& format, const Value& mapping) {
  BraceFormatter formatter(runtime, format.markup(), nullptr, &mapping);
  return Finish(runtime, format, formatter.Run(format.text().text, 2));
}

}  // namespace tandem::jinja
