#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace tandem::gguf {

/// The types of metadata values, with the ids of the GGUF specification.
enum class ValueType : std::uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

constexpr std::uint32_t kValueTypeCount = 13;

/// "u32", "string", "array" and so on.
std::string_view ValueTypeName(ValueType type);

/// The bytes of one value of a fixed-size type; 0 for strings and arrays.
std::size_t FixedSize(ValueType type);

/// One metadata value, or one element of an array: a view of checked bytes of the file, which must
/// outlive it. Nothing is copied or converted before it is asked for. Thread-safe (immutable).
class Value {
 public:
  Value() = default;
  /// `payload`: the bytes after the type tag, exactly as in the file and already checked.
  Value(ValueType type, std::span<const std::byte> payload) : type_(type), payload_(payload) {}

  ValueType type() const { return type_; }
  std::span<const std::byte> payload() const { return payload_; }

  /// Any integer type whose value fits, else nothing. A bool is no integer.
  std::optional<std::uint64_t> AsUint() const;
  std::optional<std::int64_t> AsInt() const;
  /// float32, or float64 and integers rounded to float32.
  std::optional<float> AsFloat() const;
  std::optional<bool> AsBool() const;
  std::optional<std::string_view> AsString() const;

  /// Of an array: the type and number of its elements. Both zero for anything else.
  ValueType element_type() const;
  std::uint64_t size() const;

  /// Calls visit(Value) for each element of an array, in order, until it returns false. Returns
  /// whether all were visited.
  template <typename Visit>
  bool ForEach(Visit visit) const {
    std::span<const std::byte> rest =
        type_ == ValueType::kArray ? payload_.subspan(kArrayHeader) : payload_.first(0);
    const ValueType type = element_type();
    for (std::uint64_t i = 0; i < size(); ++i) {
      const std::size_t length = PayloadSize(type, rest);
      if (!visit(Value(type, rest.first(length)))) {
        return false;
      }
      rest = rest.subspan(length);
    }
    return true;
  }

 private:
  static constexpr std::size_t kArrayHeader = 12;  // u32 element type, u64 count

  /// The bytes of the value of `type` at the front of `bytes`, which are already checked.
  static std::size_t PayloadSize(ValueType type, std::span<const std::byte> bytes);

  ValueType type_ = ValueType::kUint8;
  std::span<const std::byte> payload_;
};

}  // namespace tandem::gguf
