#include "text/jinja/json.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "base/utf8.h"
#include "text/jinja/comparison.h"
#include "text/jinja/printing.h"

namespace tandem::jinja {
namespace {

// json.dumps of one value, appended to `out`.
class Writer {
 public:
  Writer(Runtime& runtime, const JsonStyle& style, MarkedText& out)
      : runtime_(runtime), style_(style), out_(out) {}

  Raised Write(const Value& value);

 private:
  Raised WriteSequence(const std::vector<Value>& items);
  Raised WriteDict(const DictRep& dict);
  Raised WriteKey(const Value& key);
  void WriteString(const MarkedText& text);
  void WriteCharacter(const Utf8Char& c, std::string_view bytes, bool trusted);
  void WriteUnit(std::uint32_t unit, bool trusted) {
    out_.Append(Format("\\u{:04x}", unit), trusted);
  }
  std::string Scalar(const Value& value) const;
  void Break();

  Runtime& runtime_;
  const JsonStyle& style_;
  MarkedText& out_;
  std::size_t level_ = 0;
};

std::string Writer::Scalar(const Value& value) const {
  switch (value.kind()) {
    case Value::Kind::kNone:
      return "null";
    case Value::Kind::kBool:
      return value.AsBool() ? "true" : "false";
    case Value::Kind::kInt:
      return ToDecimal(value.AsInt());
    default:
      break;
  }
  const double real = value.AsDouble();
  if (std::isnan(real)) {
    return "NaN";
  }
  if (std::isinf(real)) {
    return real < 0 ? "-Infinity" : "Infinity";
  }
  return FloatRepr(real);
}

Raised Writer::Write(const Value& value) {
  TANDEM_RETURN_IF_ERROR(runtime_.CheckSize(out_.size()));
  switch (value.kind()) {
    case Value::Kind::kString:
      WriteString(value.text().text);
      return {};
    case Value::Kind::kList:
    case Value::Kind::kTuple:
      return WriteSequence(value.items());
    case Value::Kind::kDict:
      return WriteDict(value.entries());
    case Value::Kind::kMissing:
    case Value::Kind::kUndefined:
    case Value::Kind::kObject:
      return TypeError(Format("Object of type {} is not JSON serializable", value.TypeName()));
    default:
      out_.Append(Scalar(value), value.trusted());
      return {};
  }
}

void Writer::Break() {
  if (style_.indented) {
    out_.Append("\n", false);
    for (std::size_t i = 0; i < level_; ++i) {
      out_.Append(style_.indent);
    }
  }
}

Raised Writer::WriteSequence(const std::vector<Value>& items) {
  if (items.empty()) {
    out_.Append("[]", false);
    return {};
  }
  out_.Append("[", false);
  ++level_;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) {
      out_.Append(style_.item_separator);
    }
    Break();
    TANDEM_RETURN_IF_ERROR(Write(items[i]));
  }
  --level_;
  Break();
  out_.Append("]", false);
  return {};
}

Raised Writer::WriteDict(const DictRep& dict) {
  if (dict.size() == 0) {
    out_.Append("{}", false);
    return {};
  }
  std::vector<DictRep::Entry> sorted;
  if (style_.sort_keys) {
    TANDEM_ASSIGN_OR_RETURN(sorted, SortedByKey(runtime_, dict));
  }
  const std::vector<DictRep::Entry>& entries = style_.sort_keys ? sorted : dict.entries();
  out_.Append("{", false);
  ++level_;
  bool first = true;
  for (const auto& [key, value] : entries) {
    if (!first) {
      out_.Append(style_.item_separator);
    }
    first = false;
    Break();
    TANDEM_RETURN_IF_ERROR(WriteKey(key));
    out_.Append(style_.key_separator);
    TANDEM_RETURN_IF_ERROR(Write(value));
  }
  --level_;
  Break();
  out_.Append("}", false);
  return {};
}

Raised Writer::WriteKey(const Value& key) {
  if (key.string()) {
    WriteString(key.text().text);
    return {};
  }
  if (!key.number() && !key.none()) {
    return TypeError(Format("keys must be str, int, float, bool or None, not {}", key.TypeName()));
  }
  out_.Append("\"", false);
  out_.Append(Scalar(key), key.trusted());
  out_.Append("\"", false);
  return {};
}

void Writer::WriteString(const MarkedText& text) {
  out_.Append("\"", false);
  const std::string_view bytes = text.bytes();
  std::size_t plain = 0;
  for (std::size_t i = 0; i < bytes.size();) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\' && (byte < 0x80 || !style_.ascii)) {
      ++i;
      continue;
    }
    out_.AppendRange(text, plain, i);
    const Utf8Char c = DecodeUtf8(bytes.substr(i));
    WriteCharacter(c, bytes.substr(i, c.length), text.TrustedAt(i));
    i += c.length;
    plain = i;
  }
  out_.AppendRange(text, plain, bytes.size());
  out_.Append("\"", false);
}

void Writer::WriteCharacter(const Utf8Char& c, std::string_view bytes, bool trusted) {
  constexpr std::string_view kShort = "\b\f\n\r\t";
  constexpr std::string_view kLetters = "bfnrt";
  const auto code = static_cast<std::uint32_t>(c.code_point);
  if (code == '"' || code == '\\') {
    out_.Append("\\", trusted);
    out_.Append(bytes, trusted);
  } else if (const std::size_t at = kShort.find(bytes); at != std::string_view::npos) {
    out_.Append("\\", trusted);
    out_.Append(kLetters.substr(at, 1), trusted);
  } else if (code < 0x10000) {
    WriteUnit(code, trusted);
  } else {
    WriteUnit(0xD800 + ((code - 0x10000) >> 10), trusted);
    WriteUnit(0xDC00 + ((code - 0x10000) & 0x3FF), trusted);
  }
}

Outcome<Value> FromArray(const nlohmann::ordered_json& json, std::size_t nesting) {
  std::vector<Value> items;
  items.reserve(json.size());
  for (const nlohmann::ordered_json& item : json) {
    TANDEM_ASSIGN_OR_RETURN(Value value, FromJson(item, nesting));
    items.push_back(std::move(value));
  }
  return Value::List(std::move(items));
}

Outcome<Value> FromObject(const nlohmann::ordered_json& json, std::size_t nesting) {
  DictRep dict;
  for (const auto& [key, item] : json.get_ref<const nlohmann::ordered_json::object_t&>()) {
    TANDEM_ASSIGN_OR_RETURN(Value value, FromJson(item, nesting));
    dict.Set(Value::String(key, false), std::move(value));
  }
  return Value::Dict(std::move(dict));
}

}  // namespace

Outcome<Value> FromJson(const nlohmann::ordered_json& json, std::size_t nesting) {
  using Type = nlohmann::ordered_json::value_t;
  if (json.is_structured() && nesting == 0) {
    return Raised("RecursionError", "the variables nest too deeply");
  }
  switch (json.type()) {
    case Type::string:
      return Value::String(json.get_ref<const std::string&>(), false);
    case Type::boolean:
      return Value::Bool(json.get<bool>(), false);
    case Type::number_integer:
      return Value::Integer(json.get<std::int64_t>(), false);
    case Type::number_unsigned:
      return Value::Integer(static_cast<Int>(json.get<std::uint64_t>()), false);
    case Type::number_float:
      return Value::Float(json.get<double>(), false);
    case Type::array:
      return FromArray(json, nesting - 1);
    case Type::object:
      return FromObject(json, nesting - 1);
    default:
      return Value::None(false);
  }
}

Outcome<MarkedText> ToJson(Runtime& runtime, const Value& value, const JsonStyle& style) {
  TANDEM_RETURN_IF_ERROR(runtime.Charge(value.weight()));
  MarkedText out;
  TANDEM_RETURN_IF_ERROR(Writer(runtime, style, out).Write(value));
  return out;
}

}  // namespace tandem::jinja
