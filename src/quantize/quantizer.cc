#include "quantize/quantizer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/format.h"
#include "base/thread_pool.h"
#include "gguf/writer.h"
#include "io/file.h"
#include "quant/formats.h"

namespace tandem::quantize {
namespace {

// Values that one task decodes and encodes, and that all tasks of one piece do: bounds the memory,
// while the writer gets pieces of megabytes.
constexpr std::uint64_t kTaskValues = std::uint64_t{1} << 16;
constexpr std::uint64_t kPieceValues = std::uint64_t{1} << 22;
constexpr std::uint64_t kLongestRow = std::uint64_t{1} << 26;
constexpr std::uint64_t kCopyBytes = std::uint64_t{1} << 22;

constexpr std::uint32_t kQuantizationVersion = 2;  // GGML_QNT_VERSION

struct Worker {
  std::vector<std::byte> raw;
  std::vector<float> values;
  Status status;
};

class Writer {
 public:
  Writer(const Source& source, const Plan& plan, const WriteOptions& options)
      : source_(source),
        plan_(plan),
        options_(options),
        pool_(options.threads),
        workers_(options.threads) {
    progress_.total = source.tensors().size();
    for (const Source::Tensor& tensor : source.tensors()) {
      progress_.read_total += tensor.info.size;
    }
  }

  /// A gguf::TensorSource.
  Status operator()(std::size_t index, const gguf::ByteSink& sink) {
    const Source::Tensor& tensor = source_.tensors()[index];
    progress_.done = index;
    progress_.tensor = tensor.info.name;
    TANDEM_RETURN_IF_ERROR(Report());
    return plan_.tensors[index].type == tensor.info.type ? Copy(tensor, sink)
                                                         : Encode(index, tensor, sink);
  }

  Status Finish() {
    progress_.done = progress_.total;
    progress_.tensor = {};
    return Report();
  }

 private:
  Status Report() {
    if (options_.progress && !options_.progress(progress_)) {
      return Status(StatusCode::kCancelled,
                    Format("cancelled after {} of {} tensors; '{}' is unchanged", progress_.done,
                           progress_.total, Printable(options_.output.native(), 400)));
    }
    return OkStatus();
  }

  Status Copy(const Source::Tensor& tensor, const gguf::ByteSink& sink) {
    std::vector<std::byte>& bytes = piece_;
    for (std::uint64_t at = 0; at < tensor.info.size; at += kCopyBytes) {
      bytes.resize(static_cast<std::size_t>(std::min(kCopyBytes, tensor.info.size - at)));
      TANDEM_RETURN_IF_ERROR(source_.ReadBytes(tensor, at, bytes));
      TANDEM_RETURN_IF_ERROR(sink(bytes));
      progress_.read += bytes.size();
      TANDEM_RETURN_IF_ERROR(Report());
    }
    return OkStatus();
  }

  Status Encode(std::size_t index, const Source::Tensor& tensor, const gguf::ByteSink& sink) {
    const PlannedType& planned = plan_.tensors[index];
    const quant::Format& format = *quant::FindFormat(planned.type);
    const std::uint64_t length = tensor.info.dims[0];
    const std::uint64_t rows = tensor.info.elements() / length;
    if (length > kLongestRow) {
      return Status(StatusCode::kUnsupported,
                    Format("tensor '{}' has rows of {} values; at most {} are quantised",
                           Printable(tensor.info.name), length, kLongestRow));
    }
    const std::uint64_t each = std::max<std::uint64_t>(1, kTaskValues / length);
    const std::uint64_t piece = each * std::max<std::uint64_t>(1, kPieceValues / (each * length));
    const std::size_t row_bytes = format.RowBytes(static_cast<std::size_t>(length));
    for (std::uint64_t begin = 0; begin < rows; begin += piece) {
      const std::uint64_t end = std::min(rows, begin + piece);
      piece_.resize(static_cast<std::size_t>(end - begin) * row_bytes);
      pool_.Run(static_cast<std::size_t>((end - begin + each - 1) / each), [&](std::size_t task,
                                                                               std::size_t worker) {
        const std::uint64_t first = begin + task * each;
        const std::uint64_t count = std::min(each, end - first);
        EncodeRows(tensor, planned, first, workers_[worker], static_cast<std::size_t>(count),
                   std::span(piece_).subspan(static_cast<std::size_t>(first - begin) * row_bytes,
                                             static_cast<std::size_t>(count) * row_bytes));
      });
      for (const Worker& worker : workers_) {
        TANDEM_RETURN_IF_ERROR(worker.status);
      }
      TANDEM_RETURN_IF_ERROR(sink(piece_));
      progress_.read += (end - begin) * (tensor.info.size / rows);
      TANDEM_RETURN_IF_ERROR(Report());
    }
    return OkStatus();
  }

  /// One task: rows from `first`, decoded and encoded. An error stays in the worker.
  void EncodeRows(const Source::Tensor& tensor, const PlannedType& planned, std::uint64_t first,
                  Worker& worker, std::size_t count, std::span<std::byte> out) {
    if (!worker.status.ok()) {
      return;
    }
    const quant::Format& format = *quant::FindFormat(planned.type);
    const auto length = static_cast<std::size_t>(tensor.info.dims[0]);
    worker.values.resize(count * length);
    worker.status = ReadRows(source_, tensor, first, worker.raw, worker.values);
    if (!worker.status.ok()) {
      return;
    }
    if (planned.importance.empty()) {
      quant::Encode(format, worker.values, out);
      return;
    }
    const std::size_t row_bytes = format.RowBytes(length);
    for (std::size_t i = 0; i < count; ++i) {
      // Stacked matrices have an importance each.
      const auto matrix = static_cast<std::size_t>((first + i) / tensor.info.dims[1]);
      quant::EncodeRows(format, std::span(worker.values).subspan(i * length, length),
                        std::span(planned.importance).subspan(matrix * length, length),
                        out.subspan(i * row_bytes, row_bytes));
    }
  }

  const Source& source_;
  const Plan& plan_;
  const WriteOptions& options_;
  ThreadPool pool_;
  std::vector<Worker> workers_;
  std::vector<std::byte> piece_;
  Progress progress_;
};

}  // namespace

Status ReadRows(const Source& source, const Source::Tensor& tensor, std::uint64_t begin,
                std::vector<std::byte>& raw, std::span<float> values) {
  TANDEM_ASSIGN_OR_RETURN(const quant::Format* format,
                          quant::RequireFormat(tensor.info.type, tensor.info.name));
  const auto length = static_cast<std::size_t>(tensor.info.dims[0]);
  const std::size_t row_bytes = format->RowBytes(length);
  raw.resize(values.size() / length * row_bytes);
  TANDEM_RETURN_IF_ERROR(source.ReadBytes(tensor, begin * row_bytes, raw));
  quant::Decode(*format, raw, values);
  // x - x is 0 unless x is NaN or infinite; the sum is looked at once.
  float odd = 0;
  for (const float value : values) {
    odd += value - value;
  }
  if (odd == 0) {
    return OkStatus();
  }
  const auto bad =
      std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  const auto at = static_cast<std::uint64_t>(bad - values.begin());
  return Status(StatusCode::kInvalidArgument,
                Format("{}: tensor '{}' has {} in row {}, column {}; only finite numbers can be "
                       "quantised",
                       Printable(source.file().name(), 400), Printable(tensor.info.name), *bad,
                       begin + at / length, at % length));
}

gguf::Metadata MetadataFor(const Source& source, const Mix& mix, const Plan& plan,
                           const Importance* importance) {
  gguf::Metadata metadata;
  for (const gguf::KeyValue& item : source.file().metadata()) {
    if (!item.key.starts_with("split.")) {
      metadata.SetCopy(item.key, item.value);
    }
  }
  metadata.SetUint32("general.quantization_version", kQuantizationVersion);
  metadata.SetUint32("general.file_type", mix.file_type);
  if (importance != nullptr) {
    metadata.SetString("quantize.imatrix.file",
                       std::filesystem::path(importance->source).filename().native());
    if (!importance->datasets.empty()) {
      metadata.SetString("quantize.imatrix.dataset", importance->datasets.front());
    }
    metadata.SetUint32("quantize.imatrix.entries_count", static_cast<std::uint32_t>(plan.weighted));
    metadata.SetUint32("quantize.imatrix.chunks_count", importance->chunks);
  }
  return metadata;
}

Result<std::uint64_t> WriteQuantized(const Source& source, const Plan& plan,
                                     const gguf::Metadata& metadata, const WriteOptions& options) {
  std::vector<gguf::TensorSpec> specs;
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const gguf::TensorInfo& info = source.tensors()[i].info;
    const std::size_t dims = std::max<std::size_t>(info.dim_count, 1);
    specs.push_back({.name = std::string(info.name),
                     .dims = {info.dims.data(), info.dims.data() + dims},
                     .type = plan.tensors[i].type});
  }
  TANDEM_ASSIGN_OR_RETURN(AtomicFileWriter file, AtomicFileWriter::Create(options.output));
  Writer writer(source, plan, options);
  TANDEM_RETURN_IF_ERROR(gguf::Write(
      metadata, specs,
      [&](std::size_t index, const gguf::ByteSink& sink) { return writer(index, sink); },
      [&](std::span<const std::byte> bytes) { return file.Write(bytes); }));
  // Asked once more before the file appears: what was cancelled leaves nothing.
  TANDEM_RETURN_IF_ERROR(writer.Finish());
  const std::uint64_t bytes = file.offset();
  TANDEM_RETURN_IF_ERROR(file.Commit());
  return bytes;
}

}  // namespace tandem::quantize
