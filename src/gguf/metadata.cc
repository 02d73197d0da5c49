#include "gguf/metadata.h"

#include <algorithm>
#include <cstring>

namespace tandem::gguf {
namespace {

template <typename T>
void Append(std::vector<std::byte>& out, T value) {
  const std::size_t at = out.size();
  out.resize(at + sizeof(T));
  std::memcpy(out.data() + at, &value, sizeof(T));
}

void AppendString(std::vector<std::byte>& out, std::string_view text) {
  Append(out, static_cast<std::uint64_t>(text.size()));
  const auto bytes = std::as_bytes(std::span(text));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void AppendArrayHeader(std::vector<std::byte>& out, ValueType type, std::size_t count) {
  Append(out, static_cast<std::uint32_t>(type));
  Append(out, static_cast<std::uint64_t>(count));
}

}  // namespace

std::vector<std::byte>& Metadata::Slot(std::string_view key, ValueType type) {
  auto found =
      std::find_if(items_.begin(), items_.end(), [&](const Item& item) { return item.key == key; });
  if (found == items_.end()) {
    items_.push_back({.key = std::string(key), .type = type, .payload = {}});
    return items_.back().payload;
  }
  found->type = type;
  found->payload.clear();
  return found->payload;
}

template <typename T>
void Metadata::SetFixed(std::string_view key, ValueType type, T value) {
  Append(Slot(key, type), value);
}

template <typename T>
void Metadata::SetFixedArray(std::string_view key, ValueType type, std::span<const T> values) {
  std::vector<std::byte>& out = Slot(key, ValueType::kArray);
  AppendArrayHeader(out, type, values.size());
  const auto bytes = std::as_bytes(values);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <typename T>
void Metadata::SetStringArray(std::string_view key, std::span<const T> values) {
  std::vector<std::byte>& out = Slot(key, ValueType::kArray);
  AppendArrayHeader(out, ValueType::kString, values.size());
  for (const T& value : values) {
    AppendString(out, value);
  }
}

void Metadata::SetUint8(std::string_view key, std::uint8_t value) {
  SetFixed(key, ValueType::kUint8, value);
}
void Metadata::SetInt8(std::string_view key, std::int8_t value) {
  SetFixed(key, ValueType::kInt8, value);
}
void Metadata::SetUint16(std::string_view key, std::uint16_t value) {
  SetFixed(key, ValueType::kUint16, value);
}
void Metadata::SetInt16(std::string_view key, std::int16_t value) {
  SetFixed(key, ValueType::kInt16, value);
}
void Metadata::SetUint32(std::string_view key, std::uint32_t value) {
  SetFixed(key, ValueType::kUint32, value);
}
void Metadata::SetInt32(std::string_view key, std::int32_t value) {
  SetFixed(key, ValueType::kInt32, value);
}
void Metadata::SetUint64(std::string_view key, std::uint64_t value) {
  SetFixed(key, ValueType::kUint64, value);
}
void Metadata::SetInt64(std::string_view key, std::int64_t value) {
  SetFixed(key, ValueType::kInt64, value);
}
void Metadata::SetFloat32(std::string_view key, float value) {
  SetFixed(key, ValueType::kFloat32, value);
}
void Metadata::SetFloat64(std::string_view key, double value) {
  SetFixed(key, ValueType::kFloat64, value);
}
void Metadata::SetBool(std::string_view key, bool value) {
  SetFixed(key, ValueType::kBool, static_cast<std::uint8_t>(value ? 1 : 0));
}
void Metadata::SetString(std::string_view key, std::string_view value) {
  AppendString(Slot(key, ValueType::kString), value);
}
void Metadata::SetStrings(std::string_view key, std::span<const std::string> values) {
  SetStringArray(key, values);
}
void Metadata::SetStringViews(std::string_view key, std::span<const std::string_view> values) {
  SetStringArray(key, values);
}
void Metadata::SetInt32s(std::string_view key, std::span<const std::int32_t> values) {
  SetFixedArray(key, ValueType::kInt32, values);
}
void Metadata::SetUint32s(std::string_view key, std::span<const std::uint32_t> values) {
  SetFixedArray(key, ValueType::kUint32, values);
}
void Metadata::SetFloat32s(std::string_view key, std::span<const float> values) {
  SetFixedArray(key, ValueType::kFloat32, values);
}

void Metadata::SetBools(std::string_view key, const std::vector<bool>& values) {
  std::vector<std::byte>& out = Slot(key, ValueType::kArray);
  AppendArrayHeader(out, ValueType::kBool, values.size());
  for (const bool value : values) {
    out.push_back(value ? std::byte{1} : std::byte{0});
  }
}

void Metadata::SetCopy(std::string_view key, const Value& value) {
  Slot(key, value.type()).assign(value.payload().begin(), value.payload().end());
}

bool Metadata::Remove(std::string_view key) {
  return std::erase_if(items_, [&](const Item& item) { return item.key == key; }) != 0;
}

const Metadata::Item* Metadata::Find(std::string_view key) const {
  const auto found =
      std::find_if(items_.begin(), items_.end(), [&](const Item& item) { return item.key == key; });
  return found == items_.end() ? nullptr : &*found;
}

}  // namespace tandem::gguf
