#include "hf/fields.h"

#include <system_error>

#include "base/format.h"

namespace tandem::hf {

const Json* FindField(const Json& object, std::string_view key) {
  if (!object.is_object()) {
    return nullptr;
  }
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

Status WrongField(std::string_view where, std::string_view key, const Json& value,
                  std::string_view wanted) {
  const std::string text = value.is_structured()
                               ? std::string(value.type_name())
                               : value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return Status(StatusCode::kCorrupt,
                Format("{}: '{}' is {}, but {} is needed", where, key, Printable(text), wanted));
}

Result<std::optional<std::uint64_t>> UintField(const Json& object, std::string_view key,
                                               std::string_view where) {
  const Json* value = FindField(object, key);
  if (value == nullptr) {
    return std::optional<std::uint64_t>();
  }
  if (!value->is_number_unsigned()) {
    return WrongField(where, key, *value, "a whole number");
  }
  return std::optional(value->get<std::uint64_t>());
}

Result<std::optional<double>> NumberField(const Json& object, std::string_view key,
                                          std::string_view where) {
  const Json* value = FindField(object, key);
  if (value == nullptr) {
    return std::optional<double>();
  }
  if (!value->is_number()) {
    return WrongField(where, key, *value, "a number");
  }
  return std::optional(value->get<double>());
}

Result<std::optional<bool>> BoolField(const Json& object, std::string_view key,
                                      std::string_view where) {
  const Json* value = FindField(object, key);
  if (value == nullptr) {
    return std::optional<bool>();
  }
  if (!value->is_boolean()) {
    return WrongField(where, key, *value, "true or false");
  }
  return std::optional(value->get<bool>());
}

Result<std::optional<std::string>> StringField(const Json& object, std::string_view key,
                                               std::string_view where) {
  const Json* value = FindField(object, key);
  if (value == nullptr) {
    return std::optional<std::string>();
  }
  if (!value->is_string()) {
    return WrongField(where, key, *value, "a string");
  }
  return std::optional(value->get<std::string>());
}

Result<std::vector<double>> NumbersField(const Json& object, std::string_view key,
                                         std::string_view where) {
  std::vector<double> numbers;
  const Json* value = FindField(object, key);
  if (value == nullptr) {
    return numbers;
  }
  if (!value->is_array()) {
    return WrongField(where, key, *value, "a list of numbers");
  }
  for (const Json& item : *value) {
    if (!item.is_number()) {
      return WrongField(where, key, item, "a list of numbers");
    }
    numbers.push_back(item.get<double>());
  }
  return numbers;
}

Result<std::optional<Json>> ReadOptionalJson(const std::filesystem::path& folder,
                                             std::string_view name) {
  const std::filesystem::path path = folder / name;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return std::optional<Json>();
  }
  TANDEM_ASSIGN_OR_RETURN(Json json, ReadJsonFile(path));
  return std::optional<Json>(std::move(json));
}

}  // namespace tandem::hf
