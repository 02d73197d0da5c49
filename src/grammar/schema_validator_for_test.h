#pragma once

#include <algorithm>
#include <cmath>
#include <regex>
#include <string>

#include "base/utf8.h"
#include "io/json.h"

namespace tandem::grammar {

/// Whether a value is valid under a schema, for the keywords that the compiler takes: written down
/// from the standard and not from the compiler.
class SchemaValidator {
 public:
  explicit SchemaValidator(const Json& document) : document_(document) {}

  bool Valid(const Json& value) const { return Valid(document_, value); }

 private:
  static bool IsType(const Json& value, const std::string& type) {
    const bool whole = value.is_number() && std::floor(value.get<double>()) == value.get<double>();
    return (type == "null" && value.is_null()) || (type == "boolean" && value.is_boolean()) ||
           (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
           (type == "string" && value.is_string()) || (type == "integer" && whole) ||
           (type == "number" && value.is_number());
  }

  static std::size_t Characters(const std::string& text) { return Wide(text).size(); }

  // The standard library matches bytes, or wide characters.
  static std::wstring Wide(std::string_view text) {
    std::wstring wide;
    while (!text.empty()) {
      const Utf8Char c = DecodeUtf8(text);
      wide += static_cast<wchar_t>(c.code_point);
      text.remove_prefix(c.length);
    }
    return wide;
  }

  bool Valid(const Json& schema, const Json& value) const {
    if (schema.is_boolean()) {
      return schema.get<bool>();
    }
    if (schema.contains("$ref")) {
      const auto pointer = schema["$ref"].get<std::string>().substr(1);
      return Valid(document_.at(Json::json_pointer(pointer)), value);
    }
    return ValidType(schema, value) && ValidChoice(schema, value) &&
           (!value.is_object() || ValidObject(schema, value)) &&
           (!value.is_array() || ValidArray(schema, value)) &&
           (!value.is_string() || ValidString(schema, value.get<std::string>())) &&
           (!value.is_number() || ValidNumber(schema, value.get<double>()));
  }

  static bool ValidType(const Json& schema, const Json& value) {
    if (!schema.contains("type")) {
      return true;
    }
    bool any = false;
    for (const Json& type :
         schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]})) {
      any = any || IsType(value, type.get<std::string>());
    }
    return any;
  }

  bool ValidChoice(const Json& schema, const Json& value) const {
    if (schema.contains("const") && schema["const"] != value) {
      return false;
    }
    if (schema.contains("enum") &&
        std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end()) {
      return false;
    }
    for (const char* keyword : {"anyOf", "oneOf"}) {
      if (schema.contains(keyword)) {
        std::size_t valid = 0;
        for (const Json& one : schema[keyword]) {
          valid += Valid(one, value) ? 1U : 0U;
        }
        if (valid == 0 || (valid > 1 && std::string(keyword) == "oneOf")) {
          return false;
        }
      }
    }
    return true;
  }

  bool ValidObject(const Json& schema, const Json& value) const {
    const Json kNone = Json::object();
    const Json& properties = schema.contains("properties") ? schema["properties"] : kNone;
    for (const Json& name : schema.contains("required") ? schema["required"] : Json::array()) {
      if (!value.contains(name.get<std::string>())) {
        return false;
      }
    }
    for (const auto& [name, member] : value.items()) {
      if (properties.contains(name)) {
        if (!Valid(properties[name], member)) {
          return false;
        }
      } else if (schema.contains("additionalProperties") &&
                 !Valid(schema["additionalProperties"], member)) {
        return false;
      }
    }
    return true;
  }

  bool ValidArray(const Json& schema, const Json& value) const {
    if (value.size() < schema.value("minItems", std::size_t{0}) ||
        value.size() > schema.value("maxItems", std::size_t{1} << 40)) {
      return false;
    }
    const std::size_t prefix = schema.contains("prefixItems") ? schema["prefixItems"].size() : 0;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i < prefix ? !Valid(schema["prefixItems"][i], value[i])
                     : schema.contains("items") && !Valid(schema["items"], value[i])) {
        return false;
      }
    }
    return true;
  }

  static bool ValidString(const Json& schema, const std::string& text) {
    const std::size_t length = Characters(text);
    if (length < schema.value("minLength", std::size_t{0}) ||
        length > schema.value("maxLength", std::size_t{1} << 40)) {
      return false;
    }
    return !schema.contains("pattern") ||
           std::regex_search(Wide(text), std::wregex(Wide(schema["pattern"].get<std::string>())));
  }

  static bool ValidNumber(const Json& schema, double value) {
    return (!schema.contains("minimum") || value >= schema["minimum"].get<double>()) &&
           (!schema.contains("maximum") || value <= schema["maximum"].get<double>()) &&
           (!schema.contains("exclusiveMinimum") ||
            value > schema["exclusiveMinimum"].get<double>()) &&
           (!schema.contains("exclusiveMaximum") ||
            value < schema["exclusiveMaximum"].get<double>());
  }

  const Json& document_;
};

}  // namespace tandem::grammar
