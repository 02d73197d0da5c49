#include "text/jinja/printing.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/format.h"
#include "base/utf8.h"
#include "text/jinja/characters.h"

namespace tandem::jinja {
namespace {

void AppendQuoted(const MarkedText& text, MarkedText& out) {
  const std::string_view bytes = text.bytes();
  const bool single = bytes.find('\'') != std::string_view::npos;
  const bool with_double = single && bytes.find('"') == std::string_view::npos;
  const char quote = with_double ? '"' : '\'';
  const std::string_view quote_text(&quote, 1);
  out.Append(quote_text, false);
  for (std::size_t i = 0; i < bytes.size();) {
    const Utf8Char c = DecodeUtf8(bytes.substr(i));
    const bool trusted = text.TrustedAt(i);
    if (c.code_point == static_cast<unsigned char>(quote) || c.code_point == '\\') {
      out.Append("\\", trusted);
      out.Append(bytes.substr(i, 1), trusted);
    } else if (c.code_point == '\n') {
      out.Append("\\n", trusted);
    } else if (c.code_point == '\r') {
      out.Append("\\r", trusted);
    } else if (c.code_point == '\t') {
      out.Append("\\t", trusted);
    } else if (IsPrintable(c.code_point)) {
      out.Append(bytes.substr(i, c.length), trusted);
    } else {
      const auto code = static_cast<std::uint32_t>(c.code_point);
      out.Append(code < 0x100     ? Format("\\x{:02x}", code)
                 : code < 0x10000 ? Format("\\u{:04x}", code)
                                  : Format("\\U{:08x}", code),
                 trusted);
    }
    i += c.length;
  }
  out.Append(quote_text, false);
}

Raised ReprTo(Runtime& runtime, const Value& value, MarkedText& out);

Raised ReprSequence(Runtime& runtime, const Value& value, MarkedText& out) {
  const bool list = value.kind() == Value::Kind::kList;
  out.Append(list ? "[" : "(", false);
  bool first = true;
  for (const Value& item : value.items()) {
    out.Append(first ? "" : ", ", false);
    first = false;
    TANDEM_RETURN_IF_ERROR(ReprTo(runtime, item, out));
  }
  if (!list && value.items().size() == 1) {
    out.Append(",", false);
  }
  out.Append(list ? "]" : ")", false);
  return runtime.CheckSize(out.size());
}

Raised ReprDict(Runtime& runtime, const Value& value, MarkedText& out) {
  out.Append("{", false);
  bool first = true;
  for (const auto& [key, item] : value.entries().entries()) {
    out.Append(first ? "" : ", ", false);
    first = false;
    TANDEM_RETURN_IF_ERROR(ReprTo(runtime, key, out));
    out.Append(": ", false);
    TANDEM_RETURN_IF_ERROR(ReprTo(runtime, item, out));
  }
  out.Append("}", false);
  return runtime.CheckSize(out.size());
}

Raised ReprTo(Runtime& runtime, const Value& value, MarkedText& out) {
  switch (value.kind()) {
    case Value::Kind::kString:
      if (value.markup()) {
        out.Append("Markup(", false);
        AppendQuoted(value.text().text, out);
        out.Append(")", false);
      } else {
        AppendQuoted(value.text().text, out);
      }
      return {};
    case Value::Kind::kList:
    case Value::Kind::kTuple:
      return ReprSequence(runtime, value, out);
    case Value::Kind::kDict:
      return ReprDict(runtime, value, out);
    case Value::Kind::kMissing:
    case Value::Kind::kUndefined:
      out.Append("Undefined", true);
      return {};
    default:
      return PrintTo(runtime, value, out);
  }
}

}  // namespace

std::string FloatRepr(double value) {
  if (std::isnan(value)) {
    return "nan";
  }
  if (std::isinf(value)) {
    return value < 0 ? "-inf" : "inf";
  }
  // The shortest digits, as d.dddde+XX; Python shows an exponent below 1e-4 and from 1e16 on.
  std::array<char, 40> buffer = {};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                    std::chars_format::scientific);
  const std::string_view text(buffer.data(), static_cast<std::size_t>(result.ptr - buffer.data()));
  const std::size_t e = text.find('e');
  const int exponent = std::atoi(buffer.data() + e + 1);
  if (exponent < -4 || exponent >= 16) {
    return Format("{}e{}{:02}", text.substr(0, e), exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') {
      digits += c;
    }
  }
  std::string out = text.front() == '-' ? "-" : "";
  if (exponent < 0) {
    out += "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
    return out;
  }
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) {
    return out + digits + std::string(whole - digits.size(), '0') + ".0";
  }
  return out + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string QuotedRepr(std::string_view text) {
  MarkedText out;
  AppendQuoted(MarkedText(std::string(text), true), out);
  return out.bytes();
}

Raised PrintTo(Runtime& runtime, const Value& value, MarkedText& out) {
  switch (value.kind()) {
    case Value::Kind::kMissing:
    case Value::Kind::kUndefined:
      return {};
    case Value::Kind::kNone:
      out.Append("None", value.trusted());
      return {};
    case Value::Kind::kBool:
      out.Append(value.AsBool() ? "True" : "False", value.trusted());
      return {};
    case Value::Kind::kInt:
      out.Append(ToDecimal(value.AsInt()), value.trusted());
      return {};
    case Value::Kind::kFloat:
      out.Append(FloatRepr(value.AsDouble()), value.trusted());
      return {};
    case Value::Kind::kString:
      out.Append(value.text().text);
      return {};
    case Value::Kind::kObject: {
      const Runtime::Level level(runtime);
      TANDEM_RETURN_IF_ERROR(level.Check());
      TANDEM_ASSIGN_OR_RETURN(const MarkedText printed, value.AsObject().Print(runtime));
      out.Append(printed);
      return {};
    }
    default:
      TANDEM_RETURN_IF_ERROR(runtime.Charge(value.weight()));
      return ReprTo(runtime, value, out);
  }
}

Outcome<MarkedText> Print(Runtime& runtime, const Value& value) {
  MarkedText out;
  TANDEM_RETURN_IF_ERROR(PrintTo(runtime, value, out));
  return out;
}

Outcome<MarkedText> Repr(Runtime& runtime, const Value& value) {
  TANDEM_RETURN_IF_ERROR(runtime.Charge(value.weight()));
  MarkedText out;
  TANDEM_RETURN_IF_ERROR(ReprTo(runtime, value, out));
  return out;
}

MarkedText EscapeHtml(const MarkedText& text) {
  MarkedText out;
  const std::string_view bytes = text.bytes();
  std::size_t plain = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string_view entity;
    switch (bytes[i]) {
      case '&':
        entity = "&amp;";
        break;
      case '<':
        entity = "&lt;";
        break;
      case '>':
        entity = "&gt;";
        break;
      case '\'':
        entity = "&#39;";
        break;
      case '"':
        entity = "&#34;";
        break;
      default:
        continue;
    }
    out.AppendRange(text, plain, i);
    out.Append(entity, text.TrustedAt(i));
    plain = i + 1;
  }
  out.AppendRange(text, plain, bytes.size());
  return out;
}

Outcome<Value> Escape(Runtime& runtime, const Value& value) {
  if (value.markup()) {
    return value;
  }
  TANDEM_ASSIGN_OR_RETURN(const MarkedText text, Print(runtime, value));
  TANDEM_ASSIGN_OR_RETURN(const Value escaped, runtime.Text(EscapeHtml(text)));
  return escaped.WithMarkup(true);
}

Outcome<Value> SoftString(Runtime& runtime, const Value& value) {
  if (value.string()) {
    return value;
  }
  TANDEM_ASSIGN_OR_RETURN(MarkedText text, Print(runtime, value));
  return runtime.Text(std::move(text));
}

}  // namespace tandem::jinja
