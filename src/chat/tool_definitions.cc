#include "chat/tool_definitions.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/trim.h"

namespace tandem {
namespace {

Status Bad(std::string_view where, std::size_t index, std::string_view what) {
  return {StatusCode::kInvalidArgument, Format("{}: tool {}: {}", where, index, what)};
}

const Json* Field(const Json& object, std::string_view name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() ? &*found : nullptr;
}

// The object that has the name: the definition itself, or what stands under "function".
const Json& FunctionOf(const Json& definition) {
  const Json* function = Field(definition, "function");
  return function != nullptr && function->is_object() ? *function : definition;
}

Status CheckDefinition(const Json& definition, std::string_view where, std::size_t index) {
  if (!definition.is_object()) {
    return Bad(where, index, "must be an object");
  }
  const Json* type = Field(definition, "type");
  if (type != nullptr && *type != "function") {
    return Bad(where, index, Format("\"type\" is {}; only \"function\" is known", type->dump()));
  }
  const Json& function = FunctionOf(definition);
  const Json* name = Field(function, "name");
  if (name == nullptr || !name->is_string() || name->get_ref<const std::string&>().empty()) {
    return Bad(where, index, "\"name\" must be a string, not empty");
  }
  const Json* parameters = Field(function, "parameters");
  if (parameters != nullptr && !parameters->is_null() && !parameters->is_object()) {
    return Bad(where, index, "\"parameters\" must be an object");
  }
  return OkStatus();
}

// The types that a schema allows, in words of JSON Schema; empty: any.
std::vector<std::string> TypesOf(const Json& schema) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kOther = {
      {{"str", "string"},
       {"text", "string"},
       {"int", "integer"},
       {"float", "number"},
       {"bool", "boolean"},
       {"list", "array"},
       {"dict", "object"},
       {"None", "null"}}};
  std::vector<std::string> types;
  const auto add = [&](const Json& type) {
    if (type.is_string()) {
      std::string name = type.get<std::string>();
      for (const auto& [other, word] : kOther) {
        name = name == other ? word : name;
      }
      types.push_back(std::move(name));
    }
  };
  if (const Json* type = Field(schema, "type"); type != nullptr) {
    if (type->is_array()) {
      std::for_each(type->begin(), type->end(), add);
    } else {
      add(*type);
    }
  }
  for (const char* several : {"anyOf", "oneOf"}) {
    if (const Json* list = Field(schema, several); list != nullptr && list->is_array()) {
      for (const Json& item : *list) {
        for (std::string& type : TypesOf(item)) {
          types.push_back(std::move(type));
        }
      }
    }
  }
  if (const Json* values = Field(schema, "enum");
      types.empty() && values != nullptr && values->is_array()) {
    for (const Json& value : *values) {
      add(value.is_number_integer() ? "integer" : value.is_number() ? "number" : value.type_name());
    }
  }
  return types;
}

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

// The text as a value of the type, or a discarded value.
Json ReadAs(std::string_view text, std::string_view type) {
  Json none(Json::value_t::discarded);
  const std::string word = Lower(text);
  if (type == "boolean") {
    return word == "true" ? Json(true) : word == "false" ? Json(false) : none;
  }
  if (type == "null") {
    return word == "null" || word == "none" ? Json() : none;
  }
  const Result<Json> value = ParseJson(text, "argument");
  if (!value.ok()) {
    return none;
  }
  const bool fits = (type == "integer" && value->is_number_integer()) ||
                    (type == "number" && value->is_number()) ||
                    (type == "array" && value->is_array()) ||
                    (type == "object" && value->is_object());
  return fits ? *value : none;
}

void Dump(const Json& value, std::string& out) {
  if (value.is_object()) {
    out += '{';
    bool first = true;
    for (const auto& [key, item] : value.items()) {
      out += first ? "" : ", ";
      first = false;
      out += Json(key).dump(-1, ' ', false, Json::error_handler_t::replace) + ": ";
      Dump(item, out);
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      out += i == 0 ? "" : ", ";
      Dump(value[i], out);
    }
    out += ']';
  } else {
    out += value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

}  // namespace

std::string DumpAsPython(const Json& value) {
  std::string out;
  Dump(value, out);
  return out;
}

Result<Json> ParseToolDefinitions(std::string_view json, std::string_view where) {
  TANDEM_ASSIGN_OR_RETURN(Json parsed, ParseJson(json, where));
  if (parsed.is_object()) {
    const auto tools = parsed.find("tools");
    if (tools == parsed.end()) {
      return Status(StatusCode::kInvalidArgument, Format("{}: the object has no \"tools\"", where));
    }
    Json list = std::move(*tools);
    parsed = std::move(list);
  }
  return CheckToolDefinitions(std::move(parsed), where);
}

Result<Json> CheckToolDefinitions(Json tools, std::string_view where) {
  if (tools.is_null()) {
    return Json();
  }
  if (!tools.is_array()) {
    return Status(StatusCode::kInvalidArgument, Format("{}: tools must be a list", where));
  }
  for (std::size_t i = 0; i < tools.size(); ++i) {
    TANDEM_RETURN_IF_ERROR(CheckDefinition(tools[i], where, i));
  }
  return tools.empty() ? Json() : std::move(tools);
}

ToolSchemas::ToolSchemas(const Json& definitions) {
  for (const Json& definition : definitions.is_array() ? definitions : Json::array()) {
    const Json& function = FunctionOf(definition);
    const Json* name = Field(function, "name");
    if (name == nullptr || !name->is_string()) {
      continue;
    }
    // JSON Schema has the parameters under "properties"; Phi's card names them at once.
    const Json* parameters = Field(function, "parameters");
    const Json* properties = parameters == nullptr ? nullptr : Field(*parameters, "properties");
    if (properties != nullptr && properties->is_object()) {
      parameters = properties;
    }
    parameters_[name->get<std::string>()] =
        parameters != nullptr && parameters->is_object() ? *parameters : Json::object();
  }
}

bool ToolSchemas::HasBeginning(std::string_view text) const {
  for (const auto& [name, parameters] : parameters_.items()) {
    if (std::string_view(name).starts_with(text)) {
      return true;
    }
  }
  return false;
}

const Json* ToolSchemas::Parameter(std::string_view tool, std::string_view parameter) const {
  const Json* parameters = Field(parameters_, tool);
  return parameters == nullptr ? nullptr : Field(*parameters, parameter);
}

bool IsTextOnly(const Json* schema) {
  if (schema == nullptr) {
    return true;
  }
  const std::vector<std::string> types = TypesOf(*schema);
  return !types.empty() && std::all_of(types.begin(), types.end(),
                                       [](const std::string& type) { return type == "string"; });
}

Json ArgumentFromText(std::string_view text, const Json* schema) {
  if (IsTextOnly(schema)) {
    return std::string(text);
  }
  const std::string_view value = Trimmed(text);
  const std::vector<std::string> types = TypesOf(*schema);
  if (types.empty()) {
    const Result<Json> any = ParseJson(value, "argument");
    return any.ok() && !any->is_string() ? *any : Json(std::string(text));
  }
  for (const std::string& type : types) {
    Json read = ReadAs(value, type);
    if (!read.is_discarded()) {
      return read;
    }
  }
  return std::string(text);
}

}  // namespace tandem
