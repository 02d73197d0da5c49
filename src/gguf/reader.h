#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "gguf/tensor_type.h"
#include "gguf/value.h"

namespace tandem::gguf {

constexpr std::size_t kMaxDims = 4;
constexpr std::uint64_t kDefaultAlignment = 32;

struct KeyValue {
  std::string_view key;
  Value value;
};

/// One row of the tensor directory. Views into the file's bytes, already checked.
struct TensorInfo {
  std::string_view name;
  /// Sizes in ne order: dims[0] is the length of a row (neighbouring values); unused ones are 1.
  std::array<std::uint64_t, kMaxDims> dims = {1, 1, 1, 1};
  std::uint32_t dim_count = 0;
  TensorType type = TensorType::kF32;
  std::span<const std::byte> bytes;  // empty when only the directory was read
  std::uint64_t position = 0;        // where they start in the file
  std::uint64_t size = 0;            // how many they are

  /// The product of dims.
  std::uint64_t elements() const { return dims[0] * dims[1] * dims[2] * dims[3]; }
};

/// The directory of a GGUF container (version 2 or 3, little endian): metadata and tensors, both in
/// file order. Everything in it views the parsed bytes, which must outlive it. Move-only,
/// thread-safe for reading. It knows no model: which keys must exist is its user's business.
/// Source: docs/gguf.md of the ggml project.
class File {
 public:
  /// Checks every count, size, offset and name of `bytes` once, in one pass, without allocating
  /// more than a few times the size of the directory. `name` is put before every error. Errors:
  /// Corrupt with the numbers; Unsupported for version 1, big-endian files and unknown tensor
  /// types.
  static Result<File> Parse(std::span<const std::byte> bytes, std::string_view name);

  /// As Parse(), of the first bytes of a file of `file_bytes`: the tensors have positions, but no
  /// bytes. Corrupt ("ends inside ...") also when the directory is longer than `bytes`.
  static Result<File> ParseDirectory(std::span<const std::byte> bytes, std::uint64_t file_bytes,
                                     std::string_view name);

  File(File&&) noexcept = default;
  File& operator=(File&&) noexcept = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() = default;

  /// What errors call the file: a path, or the name given to Parse().
  const std::string& name() const { return name_; }
  std::uint32_t version() const { return version_; }
  /// The alignment of tensor data in bytes, a power of two.
  std::uint64_t alignment() const { return alignment_; }

  std::span<const KeyValue> metadata() const { return metadata_; }
  std::span<const TensorInfo> tensors() const { return tensors_; }

  /// The value of `key`, or nullptr.
  const Value* Find(std::string_view key) const;
  bool Has(std::string_view key) const { return Find(key) != nullptr; }
  /// The tensor of that name, or nullptr.
  const TensorInfo* FindTensor(std::string_view name) const;

  // Typed access. NotFound when the key is absent, Corrupt when its value is of another kind or
  // does not fit; both name the file, the key and the type that is there. Integers of any width
  // convert.
  Result<std::uint64_t> GetUint(std::string_view key) const;
  Result<std::int64_t> GetInt(std::string_view key) const;
  Result<float> GetFloat(std::string_view key) const;
  Result<bool> GetBool(std::string_view key) const;
  /// The view stays valid as long as the file's bytes.
  Result<std::string_view> GetString(std::string_view key) const;
  Result<std::vector<std::string_view>> GetStringArray(std::string_view key) const;
  Result<std::vector<std::int64_t>> GetIntArray(std::string_view key) const;
  Result<std::vector<float>> GetFloatArray(std::string_view key) const;
  Result<std::vector<bool>> GetBoolArray(std::string_view key) const;

  // As above, but an absent key gives `otherwise`; a value of the wrong kind is still an error.
  Result<std::uint64_t> GetUintOr(std::string_view key, std::uint64_t otherwise) const;
  Result<float> GetFloatOr(std::string_view key, float otherwise) const;
  Result<bool> GetBoolOr(std::string_view key, bool otherwise) const;
  Result<std::string_view> GetStringOr(std::string_view key, std::string_view otherwise) const;

 protected:
  friend class Parser;

  File() = default;
  /// Appends a tensor; false when the name is taken.
  bool AddTensor(const TensorInfo& tensor);
  bool AddKey(const KeyValue& item);

  std::string name_;
  std::uint32_t version_ = 0;
  std::uint64_t alignment_ = kDefaultAlignment;
  std::vector<KeyValue> metadata_;
  std::vector<TensorInfo> tensors_;

 private:
  std::unordered_map<std::string_view, std::size_t> key_index_;
  std::unordered_map<std::string_view, std::size_t> tensor_index_;
};

}  // namespace tandem::gguf
