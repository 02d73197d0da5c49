#include "check/file_check.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "base/format.h"
#include "model/network.h"
#include "plan/spec_sheet.h"
#include "quant/formats.h"
#include "text/file_tokenizer.h"
#include "text/template.h"
#include "vision/encoder.h"

namespace tandem {
namespace {

constexpr std::size_t kSampledRows = 8;

// The value of the first number of a row that is none, or nothing is wrong.
bool RowIsFinite(const quant::Format& format, std::span<const std::byte> row,
                 std::vector<float>& values, bool& all_zero) {
  quant::Decode(format, row, values);
  all_zero = std::all_of(values.begin(), values.end(), [](float v) { return v == 0; });
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

// What is wrong with a tensor's numbers, or "".
std::string ProblemOf(const gguf::TensorInfo& tensor) {
  const quant::Format* format = quant::FindFormat(tensor.type);
  if (format == nullptr || tensor.elements() == 0) {
    return "";
  }
  const auto length = static_cast<std::size_t>(tensor.dims[0]);
  const auto rows = static_cast<std::size_t>(tensor.elements() / tensor.dims[0]);
  const std::size_t row_bytes = format->RowBytes(length);
  std::vector<float> values(length);
  bool any_value = false;
  const std::size_t samples = std::min(rows, kSampledRows);
  for (std::size_t i = 0; i < samples; ++i) {
    const std::size_t row = samples == 1 ? 0 : i * (rows - 1) / (samples - 1);
    bool all_zero = false;
    if (!RowIsFinite(*format, tensor.bytes.subspan(row * row_bytes, row_bytes), values, all_zero)) {
      return Format("{}: row {} holds a value that is no number", Printable(tensor.name), row);
    }
    any_value = any_value || !all_zero;
  }
  // An empty row is fine (unused tokens), a matrix of nothing is a hole in the file.
  return any_value || rows < kSampledRows
             ? ""
             : Format("{}: every row that was looked at is zero", Printable(tensor.name));
}

void CheckTokenizer(const gguf::File& file, CheckReport& report) {
  const auto text = text::FileTokenizer::Read(file);
  if (!text.ok()) {
    report.Failed("tokenizer", text.status().message());
  } else if ((*text)->stop_tokens().empty()) {
    report.Failed("tokenizer", "no token ends a turn");
  } else {
    report.Ok("tokenizer",
              Format("{} tokens, {} of them unused, {} end a turn", (*text)->tokenizer().size(),
                     (*text)->unused_tokens().size(), (*text)->stop_tokens().size()));
  }
  const Result<std::string_view> source = file.GetStringOr("tokenizer.chat_template", "");
  if (!source.ok() || source->empty()) {
    report.Failed("template", source.ok()
                                  ? "the file has no chat template (tokenizer.chat_template)"
                                  : source.status().message());
    return;
  }
  const auto parsed = text::Template::Parse(*source);
  if (parsed.ok()) {
    report.Ok("template", Format("{} bytes, understood", source->size()));
  } else {
    report.Failed("template", text::Describe(parsed.error()));
  }
}

void AddNumbers(const std::string& name, const gguf::File& file, CheckReport& report) {
  std::size_t bad = 0;
  std::string first;
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    const std::string problem = ProblemOf(tensor);
    if (!problem.empty() && bad++ == 0) {
      first = problem;
    }
  }
  if (bad == 0) {
    report.Ok(name, Format("a sample of the rows of all {} tensors", file.tensors().size()));
  } else {
    report.Failed(name, bad == 1 ? first : Format("{} (and {} tensors more)", first, bad - 1));
  }
}

}  // namespace

FileLayout DescribeLayout(const gguf::ModelFile& file) {
  FileLayout layout{.tied_head = true, .parts = std::max<std::size_t>(1, file.mappings().size())};
  for (const std::string_view key :
       {"qwen35.vision.block_count", "qwen35.image_token_id", "qwen35.ssm.v_head_reordered",
        "qwen35.rope.mrope_interleaved"}) {
    layout.merged = layout.merged || file.Has(key);
  }
  std::set<gguf::TensorType> formats;
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    layout.tied_head = layout.tied_head && tensor.name != "output.weight";
    layout.mtp = layout.mtp || tensor.name.starts_with("mtp.") ||
                 tensor.name.find(".nextn.") != std::string_view::npos;
    layout.vision =
        layout.vision || tensor.name.starts_with("v.") || tensor.name.starts_with("mm.");
    layout.merged = layout.merged || tensor.name.starts_with("mtp.");
    if (tensor.dims[1] > 1) {
      formats.insert(tensor.type);
    }
  }
  layout.merged = layout.merged || layout.vision;
  layout.formats = formats.size();
  return layout;
}

std::string LayoutText(const FileLayout& layout) {
  std::string text = layout.merged ? "merged as in Ollama's earlier packages" : "text model alone";
  if (layout.parts > 1) {
    text += Format(", {} parts", layout.parts);
  }
  text += layout.mtp ? ", MTP block inside" : "";
  text += layout.vision ? ", vision inside" : "";
  text += layout.tied_head ? ", tied head" : ", head of its own";
  return text + Format(", {} number format{}", layout.formats, layout.formats == 1 ? "" : "s");
}

void CheckNumbers(const gguf::File& file, CheckReport& report) {
  AddNumbers("numbers", file, report);
}

void CheckVision(const LoadedModel& loaded, CheckReport& report) {
  const VisionEncoder* eyes = loaded.eyes();
  if (eyes == nullptr) {
    const Status& reason = loaded.blind_reason();
    if (reason.code() == StatusCode::kInvalidArgument) {
      report.Note("vision",
                  Format("the vision file beside it is another model's: {}", reason.message()));
    } else if (!reason.ok()) {
      report.Failed("vision", reason.message());
    } else if (loaded.network().info().architecture == "qwen35") {
      report.Note("vision", "no vision file; the model cannot see pictures");
    }
    return;
  }
  const TowerConfig& tower = eyes->config();
  report.Ok("vision",
            Format("{}: {} layers of width {}, {} values for each of the model's rows",
                   eyes->file() == nullptr ? "inside" : Printable(eyes->file()->name(), 200),
                   tower.layers, tower.width, tower.out_width));
  if (eyes->file() != nullptr) {
    AddNumbers("vision numbers", *eyes->file(), report);
  }
}
bool CheckFile(const gguf::ModelFile& file, CheckReport& report) {
  report.Ok("layout", LayoutText(DescribeLayout(file)));
  const Result<SpecSheet> sheet = ReadSpecSheet(file);
  if (!sheet.ok()) {
    report.Failed("metadata", sheet.status().message());
    return false;
  }
  report.Ok("metadata",
            Format("{}, {} parameters, {}", Printable(sheet->architecture), sheet->parameters,
                   sheet->file_type.empty() ? "recipe not stated" : sheet->file_type));
  const Result<std::unique_ptr<Network>> network = LoadNetwork(file);
  if (!network.ok()) {
    report.Failed("tensors", network.status().message());
    CheckTokenizer(file, report);
    return false;
  }
  report.Ok("tensors", Format("{} tensors, every one that {} needs in its shape",
                              file.tensors().size(), (*network)->info().architecture));
  CheckTokenizer(file, report);
  CheckNumbers(file, report);
  return true;
}

}  // namespace tandem
