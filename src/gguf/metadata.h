#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/value.h"

namespace tandem::gguf {

/// The metadata of a file being made: keys in the order they were first set, values encoded as the
/// file will hold them. Setting a key again replaces its value in place. Owns its bytes; a value
/// type, thread-compatible.
class Metadata {
 public:
  struct Item {
    std::string key;
    ValueType type = ValueType::kUint8;
    std::vector<std::byte> payload;
  };

  void SetUint8(std::string_view key, std::uint8_t value);
  void SetInt8(std::string_view key, std::int8_t value);
  void SetUint16(std::string_view key, std::uint16_t value);
  void SetInt16(std::string_view key, std::int16_t value);
  void SetUint32(std::string_view key, std::uint32_t value);
  void SetInt32(std::string_view key, std::int32_t value);
  void SetUint64(std::string_view key, std::uint64_t value);
  void SetInt64(std::string_view key, std::int64_t value);
  void SetFloat32(std::string_view key, float value);
  void SetFloat64(std::string_view key, double value);
  void SetBool(std::string_view key, bool value);
  void SetString(std::string_view key, std::string_view value);

  void SetStrings(std::string_view key, std::span<const std::string> values);
  void SetStringViews(std::string_view key, std::span<const std::string_view> values);
  void SetInt32s(std::string_view key, std::span<const std::int32_t> values);
  void SetUint32s(std::string_view key, std::span<const std::uint32_t> values);
  void SetFloat32s(std::string_view key, std::span<const float> values);
  void SetBools(std::string_view key, const std::vector<bool>& values);

  /// Copies a value of another file as it is.
  void SetCopy(std::string_view key, const Value& value);

  /// Whether the key was there.
  bool Remove(std::string_view key);

  /// The item of `key`, or nullptr. The next change of this object invalidates the pointer.
  const Item* Find(std::string_view key) const;

  std::span<const Item> items() const { return items_; }

 private:
  std::vector<std::byte>& Slot(std::string_view key, ValueType type);
  template <typename T>
  void SetFixed(std::string_view key, ValueType type, T value);
  template <typename T>
  void SetFixedArray(std::string_view key, ValueType type, std::span<const T> values);
  template <typename T>
  void SetStringArray(std::string_view key, std::span<const T> values);

  std::vector<Item> items_;
};

}  // namespace tandem::gguf
