#include "convert/convert.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <system_error>

#include "base/check.h"
#include "base/format.h"
#include "convert/architecture.h"
#include "convert/general_keys.h"
#include "convert/gguf_source.h"
#include "convert/planned_tensor.h"
#include "convert/vocabulary.h"
#include "gguf/file_watch.h"
#include "gguf/model_file.h"
#include "gguf/writer.h"
#include "hf/config.h"
#include "hf/safetensors.h"
#include "io/file.h"
#include "quant/formats.h"

namespace tandem::convert {
namespace {

struct OutputType {
  gguf::TensorType type;
  std::uint32_t file_type;  // general.file_type, llama.cpp's LLAMA_FTYPE_*
};

constexpr OutputType kOutputTypes[] = {
    {gguf::TensorType::kF32, 0},
    {gguf::TensorType::kF16, 1},
    {gguf::TensorType::kQ8_0, 7},
    {gguf::TensorType::kBF16, 32},
};

Result<OutputType> FindOutputType(std::string_view name) {
  const quant::Format* format = quant::FindFormat(name);
  for (const OutputType& row : kOutputTypes) {
    if (format != nullptr && format->type == row.type) {
      return row;
    }
  }
  return Status(StatusCode::kInvalidArgument,
                Format("cannot write type '{}'; known: f32, f16, bf16, q8_0", Printable(name)));
}

/// Everything the file will hold, before its types are chosen.
struct Content {
  gguf::Metadata metadata;
  std::vector<PlannedTensor> tensors;
  /// Whether the files that the tensors view are still as they were.
  std::function<Status()> check_sources;
};

/// Integers and doubles: tables, not weights.
bool IsPlainTable(gguf::TensorType type) {
  return type >= gguf::TensorType::kI8 && type <= gguf::TensorType::kF64;
}

Result<gguf::TensorType> TypeFor(const PlannedTensor& tensor, gguf::TensorType wanted) {
  const bool given = !tensor.raw.empty();
  // Four dimensions are a convolution over pictures.
  if (given && (IsPlainTable(tensor.raw_type) || tensor.dims.size() > 3)) {
    return tensor.raw_type;
  }
  const gguf::TensorType type = ChooseType(tensor.name, tensor.dims, wanted);
  if (given && tensor.raw_type != type) {
    TANDEM_RETURN_IF_ERROR(quant::RequireFormat(tensor.raw_type, tensor.name).status());
  }
  return type;
}

void Append(const gguf::Metadata& from, gguf::Metadata& to) {
  for (const gguf::Metadata::Item& item : from.items()) {
    to.SetCopy(item.key, gguf::Value(item.type, item.payload));
  }
}

std::uint64_t CountParameters(const std::vector<PlannedTensor>& tensors) {
  std::uint64_t sum = 0;
  for (const PlannedTensor& tensor : tensors) {
    sum += tensor.dims[0] * tensor.rows();
  }
  return sum;
}

// The keys of a vision file as a merged file has them: beside the text model's, under its name.
// Source: Ollama, model/models/qwen3vl/model_vision.go, which reads them.
void AppendMerged(const gguf::Metadata& vision, std::string_view architecture, gguf::Metadata& to) {
  constexpr std::string_view kPrefix = "clip.vision.";
  for (const gguf::Metadata::Item& item : vision.items()) {
    if (item.key.starts_with(kPrefix)) {
      to.SetCopy(Format("{}.vision.{}", architecture, item.key.substr(kPrefix.size())),
                 gguf::Value(item.type, item.payload));
    }
  }
}

Result<Content> FromCheckpoint(const ConvertOptions& options, const hf::Config& config,
                               const hf::Checkpoint& checkpoint, std::uint32_t file_type) {
  const std::filesystem::path& folder = options.source;
  TANDEM_ASSIGN_OR_RETURN(const hf::GenerationConfig generation, hf::ReadGenerationConfig(folder));
  const bool text = options.part != CheckpointPart::kVision;
  const bool vision = options.part != CheckpointPart::kText;
  TANDEM_ASSIGN_OR_RETURN(ArchitecturePlan plan, text
                                                     ? PlanCheckpoint(config, checkpoint, file_type)
                                                     : PlanVision(config, checkpoint, file_type));
  if (text && vision) {
    TANDEM_ASSIGN_OR_RETURN(ArchitecturePlan tower, PlanVision(config, checkpoint, file_type));
    AppendMerged(tower.keys, plan.name, plan.keys);
    std::move(tower.tensors.begin(), tower.tensors.end(), std::back_inserter(plan.tensors));
  }
  Content content;
  gguf::Metadata& metadata = content.metadata;
  metadata.SetString("general.architecture", plan.name);
  Append(plan.leading_keys, metadata);
  metadata.SetString("general.type", text ? "model" : "mmproj");
  AddSampling(generation, metadata);
  metadata.SetString("general.name", ModelName(folder));
  metadata.SetString("general.size_label", SizeLabel(CountParameters(plan.tensors)));
  Append(plan.keys, metadata);
  metadata.SetUint32("general.quantization_version", 2);
  if (vision) {
    TANDEM_RETURN_IF_ERROR(AddVisionLimits(folder, metadata));
  }
  if (text) {
    TANDEM_RETURN_IF_ERROR(AddVocabulary(folder, config, generation, metadata));
  }
  content.tensors = std::move(plan.tensors);
  return content;
}

/// Writes the tensors one after the other; the writer asks for them by index.
class Output {
 public:
  Output(const ConvertOptions& options, const Content& content, gguf::TensorType wanted)
      : options_(options), content_(content), wanted_(wanted) {}

  Result<ConvertSummary> Run();

 private:
  Status ChooseTypes();
  Status Report(std::size_t done, std::uint64_t bytes);

  const ConvertOptions& options_;
  const Content& content_;
  gguf::TensorType wanted_;
  std::vector<gguf::TensorSpec> specs_;
  ConvertSummary summary_;
};

Status Output::ChooseTypes() {
  for (const PlannedTensor& tensor : content_.tensors) {
    TANDEM_ASSIGN_OR_RETURN(const gguf::TensorType type, TypeFor(tensor, wanted_));
    if (type == gguf::TensorType::kF16 && wanted_ != gguf::TensorType::kF16) {
      summary_.fallbacks.push_back(tensor.name);
    }
    specs_.push_back({.name = tensor.name, .dims = tensor.dims, .type = type});
  }
  return OkStatus();
}

Status Output::Report(std::size_t done, std::uint64_t bytes) {
  if (!options_.progress) {
    return OkStatus();
  }
  const std::size_t total = specs_.size();
  const Progress progress = {.done = done,
                             .total = total,
                             .bytes = bytes,
                             .tensor = done < total ? specs_[done].name : std::string_view()};
  return options_.progress(progress)
             ? OkStatus()
             : Status(StatusCode::kCancelled,
                      Format("cancelled after {} of {} tensors; '{}' is unchanged", done, total,
                             Printable(options_.output.native(), 400)));
}

Result<ConvertSummary> Output::Run() {
  TANDEM_RETURN_IF_ERROR(ChooseTypes());
  TANDEM_ASSIGN_OR_RETURN(AtomicFileWriter writer, AtomicFileWriter::Create(options_.output));
  const gguf::TensorSource source = [&](std::size_t index, const gguf::ByteSink& sink) -> Status {
    TANDEM_RETURN_IF_ERROR(Report(index, writer.offset()));
    return StreamTensor(content_.tensors[index], specs_[index].type, sink);
  };
  TANDEM_RETURN_IF_ERROR(
      gguf::Write(content_.metadata, specs_, source,
                  [&](std::span<const std::byte> bytes) { return writer.Write(bytes); }));
  // Asked once more before the file appears: a cancelled conversion leaves nothing.
  TANDEM_RETURN_IF_ERROR(Report(specs_.size(), writer.offset()));
  TANDEM_RETURN_IF_ERROR(content_.check_sources());
  summary_.bytes = writer.offset();
  summary_.tensors = specs_.size();
  TANDEM_RETURN_IF_ERROR(writer.Commit());
  return std::move(summary_);
}

Result<ConvertSummary> WriteContent(const ConvertOptions& options, const Content& content,
                                    gguf::TensorType wanted) {
  TANDEM_ASSIGN_OR_RETURN(ConvertSummary summary, Output(options, content, wanted).Run());
  const gguf::Metadata::Item* name = content.metadata.Find("general.architecture");
  if (name != nullptr) {
    summary.architecture = gguf::Value(name->type, name->payload).AsString().value_or("");
  }
  return summary;
}

}  // namespace

Result<ConvertSummary> Convert(const ConvertOptions& options) {
  TANDEM_ASSIGN_OR_RETURN(const OutputType output, FindOutputType(options.type));
  std::error_code error;
  if (std::filesystem::is_directory(options.source, error)) {
    TANDEM_ASSIGN_OR_RETURN(const hf::Config config, hf::Config::Read(options.source));
    TANDEM_ASSIGN_OR_RETURN(const hf::Checkpoint checkpoint, hf::Checkpoint::Open(options.source));
    TANDEM_ASSIGN_OR_RETURN(Content content,
                            FromCheckpoint(options, config, checkpoint, output.file_type));
    content.check_sources = [] { return OkStatus(); };
    return WriteContent(options, content, output.type);
  }
  if (options.part != CheckpointPart::kText) {
    return Status(StatusCode::kInvalidArgument,
                  Format("'{}' is no checkpoint folder, from which alone a vision tower is taken",
                         Printable(options.source.native(), 400)));
  }
  TANDEM_ASSIGN_OR_RETURN(const auto model, gguf::ModelFile::Open(options.source));
  Content content;
  content.metadata = CopyMetadata(*model, output.file_type);
  TANDEM_ASSIGN_OR_RETURN(content.tensors, PlanGguf(*model));
  content.check_sources = [watch = gguf::FileWatch(*model)] { return watch.Check(); };
  return WriteContent(options, content, output.type);
}

}  // namespace tandem::convert
