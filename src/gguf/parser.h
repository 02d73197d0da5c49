#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/format.h"
#include "base/status.h"
#include "gguf/reader.h"

namespace tandem::gguf {

/// Walks the bytes of one container and fills a File. Used once, by File::Parse. Single-threaded.
class Parser {
 public:
  /// file_bytes: the size of the file that `bytes` begin; when there are more of them, tensors get
  /// positions only.
  Parser(std::span<const std::byte> bytes, std::uint64_t file_bytes, std::string_view name);

  Result<File> Run();

 private:
  std::uint64_t remaining() const { return bytes_.size() - position_; }

  template <typename T>
  Result<T> Read(std::string_view what) {
    if (remaining() < sizeof(T)) {
      return Truncated(what, sizeof(T));
    }
    T value{};
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }

  Status Error(StatusCode code, std::string text) const;
  Status Corrupt(std::string text) const { return Error(StatusCode::kCorrupt, std::move(text)); }
  Status Truncated(std::string_view what, std::uint64_t wanted) const;

  Result<std::string_view> ReadString(std::string_view what);
  Status ReadHeader();
  Status ReadKeyValue();
  /// Checks one value of `type` and moves past it. `depth`: arrays around it.
  Status SkipValue(ValueType type, std::string_view key, int depth);
  Status SkipArray(std::string_view key, int depth);
  Status ReadAlignment();
  Status ReadTensor();
  Status ReadDims(TensorInfo& tensor);
  Status PlaceTensors();

  std::span<const std::byte> bytes_;
  std::uint64_t file_bytes_;
  std::size_t position_ = 0;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t key_count_ = 0;
  std::vector<std::uint64_t> offsets_;  // of each tensor, from the start of the data
  File file_;
};

}  // namespace tandem::gguf
