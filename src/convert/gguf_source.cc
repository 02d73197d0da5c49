#include "convert/gguf_source.h"

#include "base/format.h"

namespace tandem::convert {
namespace {

constexpr std::uint32_t kQuantizationVersion = 2;  // GGML_QNT_VERSION

}  // namespace

gguf::Metadata CopyMetadata(const gguf::File& file, std::uint32_t file_type) {
  gguf::Metadata metadata;
  for (const gguf::KeyValue& item : file.metadata()) {
    if (!item.key.starts_with("split.")) {
      metadata.SetCopy(item.key, item.value);
    }
  }
  metadata.SetUint32("general.file_type", file_type);
  metadata.SetUint32("general.quantization_version", kQuantizationVersion);
  return metadata;
}

Result<std::vector<PlannedTensor>> PlanGguf(const gguf::File& file) {
  std::vector<PlannedTensor> tensors;
  for (const gguf::TensorInfo& info : file.tensors()) {
    PlannedTensor tensor;
    tensor.name = info.name;
    tensor.dims.assign(info.dims.begin(), info.dims.begin() + std::max(info.dim_count, 1U));
    tensor.raw = info.bytes;
    tensor.raw_type = info.type;
    if (const quant::Format* format = quant::FindFormat(info.type); format != nullptr) {
      tensor.read_row = [format, bytes = info.bytes](std::uint64_t row, std::span<float> out) {
        const std::size_t row_bytes = format->RowBytes(out.size());
        quant::Decode(*format, bytes.subspan(static_cast<std::size_t>(row) * row_bytes, row_bytes),
                      out);
      };
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace tandem::convert
