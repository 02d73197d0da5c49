#include "convert/planned_tensor.h"

#include <algorithm>

#include "base/check.h"
#include "base/format.h"

namespace tandem::convert {
namespace {

constexpr std::uint64_t kChunkValues = std::uint64_t{1} << 18;
constexpr std::size_t kRawChunkBytes = std::size_t{1} << 20;

// Two-dimensional tensors that stay F32 in every file.
constexpr std::string_view kFloatTables[] = {
    "ssm_conv1d.weight",        "ffn_gate_inp.weight",      "ffn_gate_inp_shexp.weight",
    "position_embd.weight",     "token_types.weight",       "shortconv.conv.weight",
    "time_mix_first.weight",    "time_mix_w1.weight",       "time_mix_w2.weight",
    "time_mix_decay_w1.weight", "time_mix_decay_w2.weight", "time_mix_lerp_fused.weight",
};

bool IsFloatTable(std::string_view name) {
  return std::any_of(std::begin(kFloatTables), std::end(kFloatTables), [&](std::string_view table) {
    return name == table || (name.ends_with(table) && name[name.size() - table.size() - 1] == '.');
  });
}

}  // namespace

std::uint64_t PlannedTensor::rows() const {
  std::uint64_t product = 1;
  for (std::size_t i = 1; i < dims.size(); ++i) {
    product *= dims[i];
  }
  return product;
}

gguf::TensorType ChooseType(std::string_view name, std::span<const std::uint64_t> dims,
                            gguf::TensorType wanted) {
  // A convolution over pictures, whose rows are short.
  if (name.starts_with("v.patch_embd.weight")) {
    return wanted == gguf::TensorType::kF16 ? wanted : gguf::TensorType::kF32;
  }
  if (dims.size() <= 1 || name.ends_with("_norm.weight") || !name.ends_with(".weight") ||
      IsFloatTable(name)) {
    return gguf::TensorType::kF32;
  }
  return dims[0] % gguf::Info(wanted).block_len == 0 ? wanted : gguf::TensorType::kF16;
}

Status StreamTensor(const PlannedTensor& tensor, gguf::TensorType type,
                    const gguf::ByteSink& sink) {
  if (!tensor.raw.empty() && tensor.raw_type == type) {
    for (std::size_t at = 0; at < tensor.raw.size(); at += kRawChunkBytes) {
      TANDEM_RETURN_IF_ERROR(
          sink(tensor.raw.subspan(at, std::min(kRawChunkBytes, tensor.raw.size() - at))));
    }
    return OkStatus();
  }
  const quant::Format* format = quant::FindFormat(type);
  TANDEM_CHECK(format != nullptr && format->encode != nullptr, "only encodable types are chosen");
  const std::uint64_t length = tensor.dims[0];
  const std::uint64_t rows = tensor.rows();
  const std::uint64_t step = std::max<std::uint64_t>(1, kChunkValues / length);
  std::vector<float> values;
  std::vector<std::byte> blocks;
  for (std::uint64_t row = 0; row < rows; row += step) {
    const std::uint64_t count = std::min(step, rows - row);
    values.resize(static_cast<std::size_t>(count * length));
    for (std::uint64_t i = 0; i < count; ++i) {
      tensor.read_row(row + i, std::span(values).subspan(static_cast<std::size_t>(i * length),
                                                         static_cast<std::size_t>(length)));
    }
    blocks.resize(format->RowBytes(values.size()));
    quant::Encode(*format, values, blocks);
    TANDEM_RETURN_IF_ERROR(sink(blocks));
  }
  return OkStatus();
}

}  // namespace tandem::convert
