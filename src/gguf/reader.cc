#include "gguf/reader.h"

#include <utility>

#include "base/format.h"
#include "gguf/parser.h"

namespace tandem::gguf {
namespace {

std::string Describe(const Value& value) {
  if (value.type() == ValueType::kArray) {
    return Format("array of {} {}", value.size(), ValueTypeName(value.element_type()));
  }
  if (const auto number = value.AsInt(); number.has_value()) {
    return Format("{} {}", ValueTypeName(value.type()), *number);
  }
  return std::string(ValueTypeName(value.type()));
}

Status Absent(const File& file, std::string_view key) {
  return Status(StatusCode::kNotFound,
                Format("{}: has no key '{}'", Printable(file.name(), 400), Printable(key)));
}

Status WrongKind(const File& file, std::string_view key, std::string_view wanted,
                 const Value& value) {
  return Status(StatusCode::kCorrupt,
                Format("{}: key '{}' is {}, but {} is needed", Printable(file.name(), 400),
                       Printable(key), Describe(value), wanted));
}

template <typename T>
Result<T> GetScalar(const File& file, std::string_view key, std::string_view wanted,
                    std::optional<T> (Value::*convert)() const) {
  const Value* value = file.Find(key);
  if (value == nullptr) {
    return Absent(file, key);
  }
  const std::optional<T> converted = (value->*convert)();
  if (!converted.has_value()) {
    return WrongKind(file, key, wanted, *value);
  }
  return *converted;
}

template <typename T>
Result<std::vector<T>> GetArray(const File& file, std::string_view key, std::string_view wanted,
                                std::optional<T> (Value::*convert)() const) {
  const Value* value = file.Find(key);
  if (value == nullptr) {
    return Absent(file, key);
  }
  std::vector<T> items;
  if (value->type() == ValueType::kArray) {
    items.reserve(static_cast<std::size_t>(value->size()));
    const bool all = value->ForEach([&](const Value& element) {
      const std::optional<T> converted = (element.*convert)();
      if (converted.has_value()) {
        items.push_back(*converted);
      }
      return converted.has_value();
    });
    if (all) {
      return items;
    }
  }
  return WrongKind(file, key, wanted, *value);
}

}  // namespace

Result<File> File::Parse(std::span<const std::byte> bytes, std::string_view name) {
  return Parser(bytes, bytes.size(), name).Run();
}

Result<File> File::ParseDirectory(std::span<const std::byte> bytes, std::uint64_t file_bytes,
                                  std::string_view name) {
  return Parser(bytes, file_bytes, name).Run();
}

bool File::AddKey(const KeyValue& item) {
  metadata_.push_back(item);
  return key_index_.emplace(item.key, metadata_.size() - 1).second;
}

bool File::AddTensor(const TensorInfo& tensor) {
  tensors_.push_back(tensor);
  return tensor_index_.emplace(tensor.name, tensors_.size() - 1).second;
}

const Value* File::Find(std::string_view key) const {
  const auto found = key_index_.find(key);
  return found == key_index_.end() ? nullptr : &metadata_[found->second].value;
}

const TensorInfo* File::FindTensor(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

Result<std::uint64_t> File::GetUint(std::string_view key) const {
  return GetScalar(*this, key, "an unsigned integer", &Value::AsUint);
}

Result<std::int64_t> File::GetInt(std::string_view key) const {
  return GetScalar(*this, key, "an integer", &Value::AsInt);
}

Result<float> File::GetFloat(std::string_view key) const {
  return GetScalar(*this, key, "a number", &Value::AsFloat);
}

Result<bool> File::GetBool(std::string_view key) const {
  return GetScalar(*this, key, "a bool", &Value::AsBool);
}

Result<std::string_view> File::GetString(std::string_view key) const {
  return GetScalar(*this, key, "a string", &Value::AsString);
}

Result<std::vector<std::string_view>> File::GetStringArray(std::string_view key) const {
  return GetArray(*this, key, "an array of strings", &Value::AsString);
}

Result<std::vector<std::int64_t>> File::GetIntArray(std::string_view key) const {
  return GetArray(*this, key, "an array of integers", &Value::AsInt);
}

Result<std::vector<float>> File::GetFloatArray(std::string_view key) const {
  return GetArray(*this, key, "an array of numbers", &Value::AsFloat);
}

Result<std::vector<bool>> File::GetBoolArray(std::string_view key) const {
  return GetArray(*this, key, "an array of bools", &Value::AsBool);
}

Result<std::uint64_t> File::GetUintOr(std::string_view key, std::uint64_t otherwise) const {
  return Has(key) ? GetUint(key) : otherwise;
}

Result<float> File::GetFloatOr(std::string_view key, float otherwise) const {
  return Has(key) ? GetFloat(key) : otherwise;
}

Result<bool> File::GetBoolOr(std::string_view key, bool otherwise) const {
  return Has(key) ? GetBool(key) : otherwise;
}

Result<std::string_view> File::GetStringOr(std::string_view key, std::string_view otherwise) const {
  return Has(key) ? GetString(key) : otherwise;
}

}  // namespace tandem::gguf
