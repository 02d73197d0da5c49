#include "gguf/value.h"

#include <array>
#include <utility>

namespace tandem::gguf {
namespace {

template <typename T>
T Load(std::span<const std::byte> bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

/// Calls visit with the number as its own C++ type; nothing for bools, strings and arrays.
template <typename R, typename Visit>
std::optional<R> VisitNumber(ValueType type, std::span<const std::byte> bytes, Visit visit) {
  switch (type) {
    case ValueType::kUint8:
      return visit(Load<std::uint8_t>(bytes));
    case ValueType::kInt8:
      return visit(Load<std::int8_t>(bytes));
    case ValueType::kUint16:
      return visit(Load<std::uint16_t>(bytes));
    case ValueType::kInt16:
      return visit(Load<std::int16_t>(bytes));
    case ValueType::kUint32:
      return visit(Load<std::uint32_t>(bytes));
    case ValueType::kInt32:
      return visit(Load<std::int32_t>(bytes));
    case ValueType::kUint64:
      return visit(Load<std::uint64_t>(bytes));
    case ValueType::kInt64:
      return visit(Load<std::int64_t>(bytes));
    case ValueType::kFloat32:
      return visit(Load<float>(bytes));
    case ValueType::kFloat64:
      return visit(Load<double>(bytes));
    case ValueType::kBool:
    case ValueType::kString:
    case ValueType::kArray:
      break;
  }
  return std::nullopt;
}

/// The integer as `R`, when it is one and fits.
template <typename R>
std::optional<R> AsInteger(ValueType type, std::span<const std::byte> bytes) {
  return VisitNumber<R>(type, bytes, [](auto number) -> std::optional<R> {
    if constexpr (std::is_integral_v<decltype(number)>) {
      // In two steps: std::in_range refuses character types, which 8-bit integers are here.
      using Wide =
          std::conditional_t<std::is_signed_v<decltype(number)>, std::int64_t, std::uint64_t>;
      const auto wide = static_cast<Wide>(+number);
      if (std::in_range<R>(wide)) {
        return static_cast<R>(wide);
      }
    }
    return std::nullopt;
  });
}

struct TypeRow {
  std::string_view name;
  std::size_t size;
};

constexpr std::array<TypeRow, kValueTypeCount> kTypes = {{{"u8", 1},
                                                          {"i8", 1},
                                                          {"u16", 2},
                                                          {"i16", 2},
                                                          {"u32", 4},
                                                          {"i32", 4},
                                                          {"f32", 4},
                                                          {"bool", 1},
                                                          {"string", 0},
                                                          {"array", 0},
                                                          {"u64", 8},
                                                          {"i64", 8},
                                                          {"f64", 8}}};

}  // namespace

std::string_view ValueTypeName(ValueType type) {
  return kTypes[static_cast<std::size_t>(type)].name;
}

std::size_t FixedSize(ValueType type) {
  return kTypes[static_cast<std::size_t>(type)].size;
}

std::optional<std::uint64_t> Value::AsUint() const {
  return AsInteger<std::uint64_t>(type_, payload_);
}

std::optional<std::int64_t> Value::AsInt() const {
  return AsInteger<std::int64_t>(type_, payload_);
}

std::optional<float> Value::AsFloat() const {
  return VisitNumber<float>(type_, payload_, [](auto number) -> std::optional<float> {
    return static_cast<float>(number);
  });
}

std::optional<bool> Value::AsBool() const {
  if (type_ != ValueType::kBool) {
    return std::nullopt;
  }
  return payload_[0] != std::byte{0};
}

std::optional<std::string_view> Value::AsString() const {
  if (type_ != ValueType::kString) {
    return std::nullopt;
  }
  const std::span<const std::byte> text = payload_.subspan(sizeof(std::uint64_t));
  return std::string_view(reinterpret_cast<const char*>(text.data()), text.size());
}

ValueType Value::element_type() const {
  return type_ == ValueType::kArray ? static_cast<ValueType>(Load<std::uint32_t>(payload_))
                                    : ValueType::kUint8;
}

std::uint64_t Value::size() const {
  return type_ == ValueType::kArray ? Load<std::uint64_t>(payload_.subspan(4)) : 0;
}

std::size_t Value::PayloadSize(ValueType type, std::span<const std::byte> bytes) {
  if (type == ValueType::kString) {
    return sizeof(std::uint64_t) + static_cast<std::size_t>(Load<std::uint64_t>(bytes));
  }
  if (type != ValueType::kArray) {
    return FixedSize(type);
  }
  const auto element = static_cast<ValueType>(Load<std::uint32_t>(bytes));
  const auto count = static_cast<std::size_t>(Load<std::uint64_t>(bytes.subspan(4)));
  if (FixedSize(element) != 0) {
    return kArrayHeader + FixedSize(element) * count;
  }
  std::size_t size = kArrayHeader;
  for (std::size_t i = 0; i < count; ++i) {
    size += PayloadSize(element, bytes.subspan(size));
  }
  return size;
}

}  // namespace tandem::gguf
