#include <algorithm>
#include <array>

#include "base/format.h"
#include "base/utf8.h"
#include "text/jinja/characters.h"
#include "text/jinja/filters.h"
#include "text/jinja/iteration.h"
#include "text/jinja/json.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_methods.h"

namespace tandem::jinja {
namespace {

Outcome<Value> EscapeFilter(Call& call) {
  return Escape(call.runtime, call.self);
}

Outcome<Value> ForceEscape(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const MarkedText text, Print(call.runtime, call.self));
  TANDEM_ASSIGN_OR_RETURN(const Value escaped, call.runtime.Text(EscapeHtml(text)));
  return escaped.WithMarkup(true);
}

Outcome<Value> Safe(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const Value text, SoftString(call.runtime, call.self));
  return text.WithMarkup(true);
}

// The indent of tojson: a number of spaces or a string.
Outcome<MarkedText> JsonIndent(const Value& indent) {
  constexpr Int kWidest = 4096;
  if (indent.string()) {
    if (indent.bytes().size() > static_cast<std::size_t>(kWidest)) {
      return Raised("LimitError", "the indent is too wide");
    }
    return indent.text().text;
  }
  if (!indent.integral()) {
    return TypeError(Format("can't multiply sequence by non-int of type '{}'", indent.TypeName()));
  }
  if (indent.AsInt() > kWidest) {
    return Raised("LimitError", "the indent is too wide");
  }
  return MarkedText(std::string(static_cast<std::size_t>(std::max<Int>(indent.AsInt(), 0)), ' '),
                    false);
}

// json.dumps as Hugging Face's chat templates call it: no ASCII and no HTML escaping.
Outcome<Value> ToJsonFilter(Call& call) {
  JsonStyle style;
  style.ascii = call.Flag(0, false);
  style.indented = call.Has(1) && !call[1].none();
  style.sort_keys = call.Flag(3, false);
  style.item_separator = MarkedText(style.indented ? "," : ", ", false);
  style.key_separator = MarkedText(": ", false);
  if (style.indented) {
    TANDEM_ASSIGN_OR_RETURN(style.indent, JsonIndent(call[1]));
  }
  if (call.Has(2) && !call[2].none()) {
    TANDEM_ASSIGN_OR_RETURN(const std::vector<Value> separators, Unpack(call.runtime, call[2], 2));
    if (!separators[0].string() || !separators[1].string()) {
      return TypeError("separators must be strings");
    }
    style.item_separator = separators[0].text().text;
    style.key_separator = separators[1].text().text;
  }
  TANDEM_ASSIGN_OR_RETURN(MarkedText text, ToJson(call.runtime, call.self, style));
  return call.runtime.Text(std::move(text));
}

Outcome<Value> PrettyPrint(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(MarkedText text, Repr(call.runtime, call.self));
  return call.runtime.Text(std::move(text));
}

// urllib's quote: everything but letters, digits, _.-~ and the safe characters as %XX.
void AppendQuoted(const MarkedText& text, bool query, MarkedText& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text.bytes()[i]);
    const bool plain = byte < 0x80 && (IsAlpha(byte) || IsDecimal(byte) ||
                                       std::string_view("_.-~").find(static_cast<char>(byte)) !=
                                           std::string_view::npos ||
                                       (!query && byte == '/'));
    if (plain) {
      out.AppendRange(text, i, i + 1);
    } else if (query && byte == ' ') {
      out.Append("+", text.TrustedAt(i));
    } else {
      out.Append(Format("%{:02X}", byte), text.TrustedAt(i));
    }
  }
}

Outcome<Value> UrlEncode(Call& call) {
  MarkedText out;
  const bool pairs = !call.self.string() && TryIterate(call.self) != nullptr;
  if (!pairs) {
    TANDEM_ASSIGN_OR_RETURN(const MarkedText text, Print(call.runtime, call.self));
    AppendQuoted(text, false, out);
    return call.runtime.Text(std::move(out));
  }
  const Value source = call.self.dict() ? MakeDictView(DictView::kItems, call.self) : call.self;
  TANDEM_ASSIGN_OR_RETURN(const std::vector<Value> items, Collect(call.runtime, source));
  for (std::size_t i = 0; i < items.size(); ++i) {
    TANDEM_ASSIGN_OR_RETURN(const std::vector<Value> pair, Unpack(call.runtime, items[i], 2));
    TANDEM_ASSIGN_OR_RETURN(const MarkedText key, Print(call.runtime, pair[0]));
    TANDEM_ASSIGN_OR_RETURN(const MarkedText value, Print(call.runtime, pair[1]));
    out.Append(i == 0 ? "" : "&", true);
    AppendQuoted(key, true, out);
    out.Append("=", true);
    AppendQuoted(value, true, out);
  }
  return call.runtime.Text(std::move(out));
}

Outcome<Value> XmlAttr(Call& call) {
  if (call.self.undefined()) {
    return call.self.undefined_info().Fail();
  }
  if (!call.self.dict()) {
    return Raised("AttributeError",
                  Format("'{}' object has no attribute 'items'", call.self.TypeName()));
  }
  MarkedText out;
  for (const auto& [key, value] : call.self.entries().entries()) {
    if (value.none() || value.undefined()) {
      continue;
    }
    TANDEM_ASSIGN_OR_RETURN(const Value name, Escape(call.runtime, key));
    if (name.bytes().find_first_of(" \t\n\r\f\v/>=") != std::string::npos) {
      return ValueError(
          Format("Invalid character in attribute name: {}", QuotedRepr(name.bytes())));
    }
    TANDEM_ASSIGN_OR_RETURN(const Value content, Escape(call.runtime, value));
    if (!out.empty() || call.Flag(0, true)) {
      out.Append(" ", true);
    }
    out.Append(name.text().text);
    out.Append("=\"", true);
    out.Append(content.text().text);
    out.Append("\"", true);
  }
  TANDEM_ASSIGN_OR_RETURN(const Value attributes, call.runtime.Text(std::move(out)));
  return attributes.WithMarkup(call.runtime.autoescape());
}

struct Entity {
  std::string_view name;
  std::string_view text;
};
constexpr Entity kEntities[] = {{"amp", "&"},         {"lt", "<"},         {"gt", ">"},
                                {"quot", "\""},       {"apos", "'"},       {"nbsp", "\u00A0"},
                                {"copy", "\u00A9"},   {"raquo", "\u00BB"}, {"laquo", "\u00AB"},
                                {"hellip", "\u2026"}, {"mdash", "\u2014"}, {"ndash", "\u2013"}};

// The text of the entity between & and ;, or nothing.
std::string DecodeEntity(std::string_view name) {
  if (name.size() > 1 && name[0] == '#') {
    const bool hex = name[1] == 'x' || name[1] == 'X';
    const std::string digits(name.substr(hex ? 2 : 1));
    char* end = nullptr;
    const unsigned long code = std::strtoul(digits.c_str(), &end, hex ? 16 : 10);
    std::string out;
    if (!digits.empty() && *end == '\0' && code > 0 && code <= 0x10FFFF &&
        (code < 0xD800 || code > 0xDFFF)) {
      AppendUtf8(static_cast<char32_t>(code), out);
    }
    return out;
  }
  const auto* const found = std::find_if(std::begin(kEntities), std::end(kEntities),
                                         [name](const Entity& row) { return row.name == name; });
  return found == std::end(kEntities) ? std::string() : std::string(found->text);
}

MarkedText Unescape(const MarkedText& text) {
  constexpr std::size_t kLongestName = 10;
  const std::string_view bytes = text.bytes();
  MarkedText out;
  std::size_t copied = 0;
  for (std::size_t at = bytes.find('&'); at != std::string_view::npos; at = bytes.find('&', at)) {
    const std::size_t end = bytes.find(';', at);
    const std::string decoded = end == std::string_view::npos || end - at > kLongestName
                                    ? std::string()
                                    : DecodeEntity(bytes.substr(at + 1, end - at - 1));
    if (decoded.empty()) {
      ++at;
      continue;
    }
    out.AppendRange(text, copied, at);
    out.Append(decoded, text.TrustedAt(at));
    at = copied = end + 1;
  }
  out.AppendRange(text, copied, bytes.size());
  return out;
}

// Without <tags> and <!-- comments -->, white space collapsed, entities decoded.
Outcome<Value> StripTags(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const MarkedText text, Print(call.runtime, call.self));
  const std::string_view bytes = text.bytes();
  MarkedText kept;
  std::size_t copied = 0;
  while (true) {
    const std::size_t start = bytes.find('<', copied);
    if (start == std::string_view::npos) {
      break;
    }
    const bool comment = bytes.substr(start, 4) == "<!--";
    const std::size_t end = comment ? bytes.find("-->", start + 4) : bytes.find('>', start);
    if (end == std::string_view::npos) {
      break;
    }
    kept.AppendRange(text, copied, start);
    copied = end + (comment ? 3 : 1);
  }
  kept.AppendRange(text, copied, bytes.size());
  TANDEM_ASSIGN_OR_RETURN(const std::vector<Value> words,
                          Split(call.runtime, Value::String(std::move(kept)), Value(), -1, false));
  TANDEM_ASSIGN_OR_RETURN(const Value joined, Join(call.runtime, Value::String(" ", true), words));
  return call.runtime.Text(Unescape(joined.text().text));
}

Outcome<Value> NotHere(Call& /*call*/) {
  return Raised("NotImplementedError", "this filter is not available in chat templates");
}

constexpr Builtin kFilters[] = {
    {"e", "", EscapeFilter},
    {"escape", "", EscapeFilter},
    {"forceescape", "", ForceEscape},
    {"pprint", "", PrettyPrint},
    {"safe", "", Safe},
    {"striptags", "", StripTags},
    {"tojson", "[ensure_ascii] [indent] [separators] [sort_keys]", ToJsonFilter},
    {"urlencode", "", UrlEncode},
    {"urlize", "*", NotHere},
    {"wordwrap", "*", NotHere},
    {"xmlattr", "[autospace]", XmlAttr},
};

}  // namespace

BuiltinTable MarkupFilters() {
  return {std::begin(kFilters), std::end(kFilters)};
}

}  // namespace tandem::jinja
