#include "model/weights.h"

#include <cstdint>

#include "base/format.h"
#include "quant/formats.h"

namespace tandem {
namespace {

Status WrongShape(const gguf::File& file, const gguf::TensorInfo& tensor,
                  std::string_view expected) {
  return {StatusCode::kCorrupt, Format("{}: tensor '{}' has shape [{}, {}, {}, {}], expected {}",
                                       file.name(), tensor.name, tensor.dims[0], tensor.dims[1],
                                       tensor.dims[2], tensor.dims[3], expected)};
}

}  // namespace

Result<std::size_t> GetSize(const gguf::File& file, std::string_view key, std::uint64_t limit) {
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t size, file.GetUint(key));
  if (size > limit) {
    return Status(StatusCode::kCorrupt, Format("{}: key '{}' is {}; at most {} is possible",
                                               file.name(), key, size, limit));
  }
  return static_cast<std::size_t>(size);
}

Result<std::size_t> GetSizeOr(const gguf::File& file, std::string_view key, std::size_t otherwise,
                              std::uint64_t limit) {
  return file.Has(key) ? GetSize(file, key, limit) : Result<std::size_t>(otherwise);
}

Result<std::size_t> GetLayers(const gguf::File& file, std::string_view key) {
  TANDEM_ASSIGN_OR_RETURN(const std::size_t layers, GetSize(file, key));
  if (layers > file.tensors().size()) {
    return Status(StatusCode::kCorrupt,
                  Format("{}: key '{}' is {}, but the file has {} tensors in all", file.name(), key,
                         layers, file.tensors().size()));
  }
  return layers;
}

Result<QMat> WeightReader::Matrix(std::string_view name, std::size_t rows, std::size_t cols) const {
  const gguf::TensorInfo* tensor = file_.FindTensor(name);
  if (tensor == nullptr) {
    return Status(StatusCode::kNotFound, Format("{}: tensor '{}' is missing", file_.name(), name));
  }
  if (tensor->dims[0] != cols || tensor->dims[1] != rows || tensor->dims[2] != 1 ||
      tensor->dims[3] != 1) {
    return WrongShape(file_, *tensor, Format("[{}, {}]", cols, rows));
  }
  const quant::Format* format = quant::FindFormat(tensor->type);
  if (format == nullptr) {
    return Status(StatusCode::kUnsupported,
                  Format("{}: tensor '{}' has type {}, which Tandem cannot read yet", file_.name(),
                         name, gguf::Info(tensor->type).name));
  }
  return QMat{.data = tensor->bytes.data(),
              .type = tensor->type,
              .rows = rows,
              .cols = cols,
              .row_bytes = cols / format->block_len * format->block_bytes};
}

Result<std::span<const float>> WeightReader::Vector(std::string_view name, std::size_t n) {
  const gguf::TensorInfo* tensor = file_.FindTensor(name);
  if (tensor == nullptr) {
    return Status(StatusCode::kNotFound, Format("{}: tensor '{}' is missing", file_.name(), name));
  }
  if (tensor->elements() != n) {
    return WrongShape(file_, *tensor, Format("{} values", n));
  }
  const auto address = reinterpret_cast<std::uintptr_t>(tensor->bytes.data());
  if (tensor->type == gguf::TensorType::kF32 && address % alignof(float) == 0) {
    return std::span<const float>(reinterpret_cast<const float*>(tensor->bytes.data()), n);
  }
  const quant::Format* format = quant::FindFormat(tensor->type);
  if (format == nullptr || n % format->block_len != 0) {
    return Status(StatusCode::kUnsupported,
                  Format("{}: tensor '{}' has type {}; F32 is expected", file_.name(), name,
                         gguf::Info(tensor->type).name));
  }
  AlignedBuffer<float>& copy = owned_.emplace_back(n);
  format->decode(tensor->bytes.data(), n / format->block_len, copy.data());
  return std::span<const float>(copy.data(), n);
}

}  // namespace tandem
