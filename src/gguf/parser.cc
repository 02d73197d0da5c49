#include "gguf/parser.h"

#include <bit>
#include <utility>

#include "base/checked.h"

namespace tandem::gguf {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read in place");

constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr int kMaxArrayDepth = 8;
// The least bytes one row can take: an empty string, a type and a byte; an empty name, a dimension
// count, a type and an offset. They bound the counts before anything is allocated.
constexpr std::uint64_t kMinKeyValueBytes = 8 + 4 + 1;
constexpr std::uint64_t kMinTensorBytes = 8 + 4 + 4 + 8;

}  // namespace

Parser::Parser(std::span<const std::byte> bytes, std::uint64_t file_bytes, std::string_view name)
    : bytes_(bytes), file_bytes_(file_bytes) {
  file_.name_ = name;
}

Status Parser::Error(StatusCode code, std::string text) const {
  return Status(code, Format("{}: {}", Printable(file_.name_, 400), text));
}

Status Parser::Truncated(std::string_view what, std::uint64_t wanted) const {
  return Corrupt(Format("ends inside {}: {} bytes needed at byte {}, {} left of {}", what, wanted,
                        position_, remaining(), bytes_.size()));
}

Result<std::string_view> Parser::ReadString(std::string_view what) {
  TANDEM_ASSIGN_OR_RETURN(const auto length, Read<std::uint64_t>(what));
  if (length > remaining()) {
    return Truncated(what, length);
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + position_,
                              static_cast<std::size_t>(length));
  position_ += text.size();
  return text;
}

Status Parser::ReadHeader() {
  TANDEM_ASSIGN_OR_RETURN(const auto magic, Read<std::uint32_t>("the header"));
  if (magic != kMagic) {
    const std::string_view start(reinterpret_cast<const char*>(bytes_.data()), 4);
    return Corrupt(Format("not a GGUF file: it starts with \"{}\"", Printable(start)));
  }
  TANDEM_ASSIGN_OR_RETURN(file_.version_, Read<std::uint32_t>("the header"));
  if ((file_.version_ & 0xFFFFu) == 0) {
    return Error(StatusCode::kUnsupported, "is a big-endian GGUF file; only little endian is read");
  }
  if (file_.version_ != 2 && file_.version_ != 3) {
    return Error(StatusCode::kUnsupported,
                 Format("has GGUF version {}; versions 2 and 3 are read", file_.version_));
  }
  TANDEM_ASSIGN_OR_RETURN(tensor_count_, Read<std::uint64_t>("the header"));
  TANDEM_ASSIGN_OR_RETURN(key_count_, Read<std::uint64_t>("the header"));
  if (key_count_ > remaining() / kMinKeyValueBytes) {
    return Corrupt(Format("claims {} metadata keys, too many for the {} bytes that follow",
                          key_count_, remaining()));
  }
  if (tensor_count_ > remaining() / kMinTensorBytes) {
    return Corrupt(Format("claims {} tensors, too many for the {} bytes that follow", tensor_count_,
                          remaining()));
  }
  return OkStatus();
}

Status Parser::SkipArray(std::string_view key, int depth) {
  if (depth > kMaxArrayDepth) {
    return Corrupt(Format("key '{}' nests more than {} arrays", Printable(key), kMaxArrayDepth));
  }
  TANDEM_ASSIGN_OR_RETURN(const auto id, Read<std::uint32_t>("an array"));
  TANDEM_ASSIGN_OR_RETURN(const auto count, Read<std::uint64_t>("an array"));
  if (id >= kValueTypeCount) {
    return Corrupt(Format("key '{}' has array elements of unknown type {}", Printable(key), id));
  }
  const auto type = static_cast<ValueType>(id);
  // Strings and arrays take at least their own counts.
  const std::uint64_t least = type == ValueType::kString  ? 8
                              : type == ValueType::kArray ? 12
                                                          : FixedSize(type);
  if (count > remaining() / least) {
    return Corrupt(Format("key '{}' claims {} array elements of type {}, but {} bytes are left",
                          Printable(key), count, ValueTypeName(type), remaining()));
  }
  if (type != ValueType::kString && type != ValueType::kArray) {
    position_ += static_cast<std::size_t>(count * least);
    return OkStatus();
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    TANDEM_RETURN_IF_ERROR(SkipValue(type, key, depth));
  }
  return OkStatus();
}

Status Parser::SkipValue(ValueType type, std::string_view key, int depth) {
  if (type == ValueType::kArray) {
    return SkipArray(key, depth + 1);
  }
  if (type == ValueType::kString) {
    // Spelled out, without a Result: a vocabulary has hundreds of thousands of these.
    std::uint64_t length = 0;
    if (remaining() < sizeof(length)) {
      return Truncated(Format("the value of '{}'", Printable(key)), sizeof(length));
    }
    std::memcpy(&length, bytes_.data() + position_, sizeof(length));
    position_ += sizeof(length);
    if (length > remaining()) {
      return Truncated(Format("the value of '{}'", Printable(key)), length);
    }
    position_ += static_cast<std::size_t>(length);
    return OkStatus();
  }
  const std::size_t size = FixedSize(type);
  if (remaining() < size) {
    return Truncated(Format("the value of '{}'", Printable(key)), size);
  }
  position_ += size;
  return OkStatus();
}

Status Parser::ReadKeyValue() {
  TANDEM_ASSIGN_OR_RETURN(const std::string_view key, ReadString("a metadata key"));
  TANDEM_ASSIGN_OR_RETURN(const auto id, Read<std::uint32_t>("the type of a metadata value"));
  if (id >= kValueTypeCount) {
    return Corrupt(Format("key '{}' has unknown value type {}", Printable(key), id));
  }
  const auto type = static_cast<ValueType>(id);
  const std::size_t begin = position_;
  TANDEM_RETURN_IF_ERROR(SkipValue(type, key, 0));
  if (!file_.AddKey({key, Value(type, bytes_.subspan(begin, position_ - begin))})) {
    return Corrupt(Format("key '{}' appears twice", Printable(key)));
  }
  return OkStatus();
}

Status Parser::ReadAlignment() {
  TANDEM_ASSIGN_OR_RETURN(file_.alignment_,
                          file_.GetUintOr("general.alignment", kDefaultAlignment));
  if (!std::has_single_bit(file_.alignment_)) {
    return Corrupt(Format("general.alignment is {}, not a power of two", file_.alignment_));
  }
  return OkStatus();
}

Status Parser::ReadDims(TensorInfo& tensor) {
  TANDEM_ASSIGN_OR_RETURN(tensor.dim_count, Read<std::uint32_t>("a tensor's dimensions"));
  if (tensor.dim_count > kMaxDims) {
    return Corrupt(Format("tensor '{}' has {} dimensions; at most {} exist", Printable(tensor.name),
                          tensor.dim_count, kMaxDims));
  }
  std::uint64_t elements = 1;
  for (std::size_t i = 0; i < tensor.dim_count; ++i) {
    TANDEM_ASSIGN_OR_RETURN(tensor.dims[i], Read<std::uint64_t>("a tensor's dimensions"));
    if (tensor.dims[i] == 0) {
      return Corrupt(Format("tensor '{}' has size 0 in dimension {}", Printable(tensor.name), i));
    }
    const auto product = CheckedMul(elements, tensor.dims[i]);
    if (!product.has_value()) {
      return Corrupt(
          Format("tensor '{}' has more than 2^64 elements: dimension {} is {} after {} elements",
                 Printable(tensor.name), i, tensor.dims[i], elements));
    }
    elements = *product;
  }
  return OkStatus();
}

Status Parser::ReadTensor() {
  TensorInfo tensor;
  TANDEM_ASSIGN_OR_RETURN(tensor.name, ReadString("a tensor's name"));
  TANDEM_RETURN_IF_ERROR(ReadDims(tensor));
  TANDEM_ASSIGN_OR_RETURN(const auto id, Read<std::uint32_t>("a tensor's type"));
  TANDEM_ASSIGN_OR_RETURN(const auto offset, Read<std::uint64_t>("a tensor's offset"));
  const TensorTypeInfo* info = FindTensorType(id);
  if (info == nullptr) {
    return Error(StatusCode::kUnsupported,
                 Format("tensor '{}' has unknown type id {}", Printable(tensor.name), id));
  }
  tensor.type = info->type;
  if (tensor.dims[0] % info->block_len != 0) {
    return Corrupt(
        Format("tensor '{}' has rows of {} values, not a multiple of the {} of a {} block",
               Printable(tensor.name), tensor.dims[0], info->block_len, info->name));
  }
  offsets_.push_back(offset);
  if (!file_.AddTensor(tensor)) {
    return Corrupt(Format("tensor '{}' appears twice", Printable(tensor.name)));
  }
  return OkStatus();
}

Status Parser::PlaceTensors() {
  if (file_.tensors_.empty()) {
    return OkStatus();  // a file of metadata only may end without padding
  }
  const auto padded = CheckedAdd(position_, file_.alignment_ - 1);
  const std::uint64_t start = padded.value_or(0) & ~(file_.alignment_ - 1);
  if (!padded.has_value() || start > file_bytes_) {
    return Corrupt(
        Format("ends at byte {}, before its tensor data (directory {} bytes, alignment {})",
               file_bytes_, position_, file_.alignment_));
  }
  const std::uint64_t data_bytes = file_bytes_ - start;
  for (std::size_t i = 0; i < offsets_.size(); ++i) {
    TensorInfo& tensor = file_.tensors_[i];
    if (offsets_[i] % file_.alignment_ != 0) {
      return Corrupt(Format("tensor '{}' has offset {}, not a multiple of the alignment {}",
                            Printable(tensor.name), offsets_[i], file_.alignment_));
    }
    const auto size = TensorBytes(tensor.type, tensor.dims[0], tensor.elements());
    const auto end = size.has_value() ? CheckedAdd(offsets_[i], *size) : std::nullopt;
    if (!end.has_value()) {
      return Corrupt(Format("tensor '{}' has offset {} and {} elements of {}, which wraps",
                            Printable(tensor.name), offsets_[i], tensor.elements(),
                            Info(tensor.type).name));
    }
    if (*end > data_bytes) {
      return Corrupt(
          Format("tensor '{}' needs {} bytes at byte {} of the tensor data, which has {} "
                 "(the file has {})",
                 Printable(tensor.name), *size, offsets_[i], data_bytes, file_bytes_));
    }
    tensor.position = start + offsets_[i];
    tensor.size = *size;
    if (file_bytes_ == bytes_.size()) {
      tensor.bytes = bytes_.subspan(static_cast<std::size_t>(tensor.position),
                                    static_cast<std::size_t>(*size));
    }
  }
  return OkStatus();
}

Result<File> Parser::Run() {
  TANDEM_RETURN_IF_ERROR(ReadHeader());
  for (std::uint64_t i = 0; i < key_count_; ++i) {
    TANDEM_RETURN_IF_ERROR(ReadKeyValue());
  }
  TANDEM_RETURN_IF_ERROR(ReadAlignment());
  for (std::uint64_t i = 0; i < tensor_count_; ++i) {
    TANDEM_RETURN_IF_ERROR(ReadTensor());
  }
  TANDEM_RETURN_IF_ERROR(PlaceTensors());
  return std::move(file_);
}

}  // namespace tandem::gguf
