#include "convert/checkpoint_planner.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/format.h"

namespace tandem::convert {
namespace {

std::vector<std::uint64_t> WithoutOnes(const std::vector<std::uint64_t>& shape) {
  std::vector<std::uint64_t> kept;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(kept),
               [](std::uint64_t dim) { return dim != 1; });
  return kept;
}

std::string ShapeText(const std::vector<std::uint64_t>& shape) {
  std::string text;
  for (const std::uint64_t dim : shape) {
    text += Format("{}{}", text.empty() ? "" : ", ", dim);
  }
  return "[" + text + "]";
}

Result<gguf::TensorType> TypeOf(const hf::Tensor& tensor) {
  switch (tensor.dtype) {
    case hf::DType::kF32:
      return gguf::TensorType::kF32;
    case hf::DType::kF16:
      return gguf::TensorType::kF16;
    case hf::DType::kBF16:
      return gguf::TensorType::kBF16;
    case hf::DType::kOther:
      break;
  }
  return Status(StatusCode::kUnsupported,
                Format("tensor '{}' has dtype {}; F32, F16 and BF16 are read",
                       Printable(tensor.name), Printable(tensor.dtype_name)));
}

void Apply(ValueOp op, std::span<float> values) {
  switch (op) {
    case ValueOp::kNone:
      return;
    case ValueOp::kAddOne:
      for (float& value : values) {
        value += 1.0F;
      }
      return;
    case ValueOp::kNegExponential:
      for (float& value : values) {
        // In double, so that the result is the nearest float. The reference converter's exp depends
        // on its library and machine: its files differ from this in the last bit of some values.
        value = static_cast<float>(-std::exp(static_cast<double>(value)));
      }
      return;
  }
}

/// Reads row `row` of the target from the checkpoint's bytes.
RowReader MakeReader(const hf::Tensor& source, gguf::TensorType type, std::uint64_t length,
                     const ExpectedTensor& expected) {
  const quant::Format* format = quant::FindFormat(type);
  TANDEM_CHECK(format != nullptr, "the three float types have formats");
  return [bytes = source.bytes, format, length, op = expected.op, rows = expected.row_order,
          columns = expected.column_order](std::uint64_t row, std::span<float> out) {
    const std::size_t row_bytes = format->RowBytes(static_cast<std::size_t>(length));
    const auto from =
        bytes.subspan(static_cast<std::size_t>(rows.SourceIndex(row)) * row_bytes, row_bytes);
    if (columns.identity()) {
      quant::Decode(*format, from, out);
    } else {
      std::vector<float> values(out.size());
      quant::Decode(*format, from, values);
      for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = values[static_cast<std::size_t>(columns.SourceIndex(i))];
      }
    }
    Apply(op, out);
  };
}

}  // namespace

std::uint64_t HeadOrder::SourceIndex(std::uint64_t index) const {
  if (identity() || index < begin) {
    return index;
  }
  const std::uint64_t head = (index - begin) / unit;
  const std::uint64_t within = (index - begin) % unit;
  const std::uint64_t source = head % key_heads * values_per_key + head / key_heads;
  return begin + source * unit + within;
}

Result<const hf::Tensor*> CheckpointPlanner::FindShaped(
    const std::string& source, const std::vector<std::uint64_t>& shape) const {
  const hf::Tensor* tensor = checkpoint_.Find(source);
  if (tensor == nullptr) {
    return Status(StatusCode::kCorrupt, Format("the checkpoint has no tensor '{}'", source));
  }
  if (WithoutOnes(tensor->shape) != WithoutOnes(shape)) {
    return Status(StatusCode::kCorrupt, Format("tensor '{}' has shape {}; config.json needs {}",
                                               source, ShapeText(tensor->shape), ShapeText(shape)));
  }
  return tensor;
}

Status CheckpointPlanner::ExpectSlices(const std::string& source,
                                       const std::vector<std::string>& targets,
                                       const std::vector<std::uint64_t>& shape, std::size_t axis) {
  TANDEM_CHECK(axis + 1 < shape.size() && shape[axis] == targets.size(), "a target per slice");
  TANDEM_ASSIGN_OR_RETURN(const hf::Tensor* tensor, FindShaped(source, shape));
  TANDEM_ASSIGN_OR_RETURN(const gguf::TensorType type, TypeOf(*tensor));
  std::vector<std::uint64_t> kept = shape;
  kept.erase(kept.begin() + static_cast<std::ptrdiff_t>(axis));
  // Rows behind the axis lie together; each stretch of them belongs to one slice.
  std::uint64_t stretch = 1;
  for (std::size_t i = axis + 1; i + 1 < shape.size(); ++i) {
    stretch *= shape[i];
  }
  used_.insert(tensor);
  for (std::size_t slice = 0; slice < targets.size(); ++slice) {
    PlannedTensor planned;
    planned.name = targets[slice];
    planned.dims.assign(kept.rbegin(), kept.rend());
    const RowReader whole = MakeReader(*tensor, type, shape.back(), {});
    planned.read_row = [whole, stretch, slice, count = targets.size()](std::uint64_t row,
                                                                       std::span<float> out) {
      whole((row / stretch * count + slice) * stretch + row % stretch, out);
    };
    planned_.emplace_back(tensor, std::move(planned));
  }
  return OkStatus();
}

Status CheckpointPlanner::Expect(ExpectedTensor expected) {
  TANDEM_ASSIGN_OR_RETURN(const hf::Tensor* source, FindShaped(expected.source, expected.shape));
  const std::vector<std::uint64_t> shape = WithoutOnes(expected.shape);
  TANDEM_ASSIGN_OR_RETURN(const gguf::TensorType type, TypeOf(*source));
  PlannedTensor planned;
  planned.name = expected.target;
  planned.dims.assign(shape.rbegin(), shape.rend());
  if (planned.dims.empty()) {
    planned.dims.push_back(1);
  }
  planned.read_row = MakeReader(*source, type, planned.dims[0], expected);
  if (expected.op == ValueOp::kNone && expected.row_order.identity() &&
      expected.column_order.identity()) {
    planned.raw = source->bytes;
    planned.raw_type = type;
  }
  used_.insert(source);
  planned_.emplace_back(source, std::move(planned));
  return OkStatus();
}

Result<std::vector<PlannedTensor>> CheckpointPlanner::Finish(
    bool (*ignored)(std::string_view name)) {
  for (const hf::Tensor& tensor : checkpoint_.tensors()) {
    if (!used_.contains(&tensor) && !ignored(tensor.name)) {
      return Status(StatusCode::kUnsupported,
                    Format("the checkpoint has a tensor '{}' that this architecture does not have",
                           Printable(tensor.name)));
    }
  }
  std::stable_sort(planned_.begin(), planned_.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<PlannedTensor> tensors;
  for (auto& [source, planned] : planned_) {
    tensors.push_back(std::move(planned));
  }
  return tensors;
}

}  // namespace tandem::convert
