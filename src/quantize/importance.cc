#include "quantize/importance.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "base/checked.h"
#include "base/format.h"
#include "gguf/metadata.h"
#include "gguf/model_file.h"
#include "gguf/writer.h"
#include "io/file.h"

namespace tandem::quantize {
namespace {

using Entries = std::map<std::string, Importance::Entry, std::less<>>;

constexpr std::string_view kSums = ".in_sum2";
constexpr std::string_view kCounts = ".counts";
constexpr std::string_view kDatasets = "imatrix.datasets";
constexpr std::string_view kChunks = "imatrix.chunk_count";
constexpr std::string_view kChunkTokens = "imatrix.chunk_size";
// No matrix has more inputs; bounds what a damaged old file makes us allocate.
constexpr std::uint64_t kMostValues = std::uint64_t{1} << 28;

Status Corrupt(std::string_view file, std::string text) {
  return Status(StatusCode::kCorrupt, Format("{}: {}", Printable(file, 400), text));
}

Status CheckNumbers(std::string_view file, std::string_view entry, std::span<const float> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i]) || values[i] < 0) {
      return Corrupt(file, Format("value {} of '{}' is {}; importance is finite and not negative",
                                  i, Printable(entry), values[i]));
    }
  }
  return OkStatus();
}

Result<std::vector<float>> ReadFloats(const gguf::File& file, std::string_view name) {
  const gguf::TensorInfo* tensor = file.FindTensor(name);
  if (tensor == nullptr) {
    return Corrupt(file.name(), Format("tensor '{}' is missing", Printable(name)));
  }
  if (tensor->type != gguf::TensorType::kF32) {
    return Corrupt(file.name(), Format("tensor '{}' is {}, not F32", Printable(name),
                                       gguf::Info(tensor->type).name));
  }
  std::vector<float> values(static_cast<std::size_t>(tensor->elements()));
  std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  TANDEM_RETURN_IF_ERROR(CheckNumbers(file.name(), name, values));
  return values;
}

Result<Importance> FromGguf(const gguf::File& file) {
  TANDEM_ASSIGN_OR_RETURN(const std::string_view type, file.GetStringOr("general.type", "model"));
  if (type != "imatrix") {
    return Status(StatusCode::kInvalidArgument,
                  Format("{}: its general.type is '{}', not 'imatrix'", Printable(file.name(), 400),
                         Printable(type)));
  }
  Importance importance;
  if (file.Has(kDatasets)) {
    TANDEM_ASSIGN_OR_RETURN(const auto datasets, file.GetStringArray(kDatasets));
    importance.datasets.assign(datasets.begin(), datasets.end());
  }
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t chunks, file.GetUintOr(kChunks, 0));
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t tokens, file.GetUintOr(kChunkTokens, 0));
  importance.chunks = static_cast<std::uint32_t>(chunks);
  importance.chunk_tokens = static_cast<std::uint32_t>(tokens);
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    if (!tensor.name.ends_with(kSums)) {
      continue;
    }
    const std::string_view name = tensor.name.substr(0, tensor.name.size() - kSums.size());
    Importance::Entry entry;
    TANDEM_ASSIGN_OR_RETURN(entry.sums, ReadFloats(file, tensor.name));
    TANDEM_ASSIGN_OR_RETURN(entry.counts, ReadFloats(file, Format("{}{}", name, kCounts)));
    if (entry.counts.empty() || entry.sums.size() % entry.counts.size() != 0) {
      return Corrupt(file.name(), Format("'{}' has {} sums and {} counts", Printable(name),
                                         entry.sums.size(), entry.counts.size()));
    }
    importance.entries().emplace(name, std::move(entry));
  }
  return importance;
}

/// The older form: i32 entries; each i32 length, name, i32 calls, i32 values, floats (means times
/// calls); then perhaps i32 chunks, i32 length, data set.
class OldReader {
 public:
  OldReader(std::string_view bytes, std::string_view file) : rest_(bytes), file_(file) {}

  Result<Importance> Run() {
    TANDEM_ASSIGN_OR_RETURN(const std::uint32_t count, Number("its number of entries"));
    if (count == 0 || count > rest_.size() / 12) {
      return Corrupt(
          file_, Format("is no importance matrix: {} entries in {} bytes", count, rest_.size()));
    }
    Importance importance;
    for (std::uint32_t i = 0; i < count; ++i) {
      TANDEM_ASSIGN_OR_RETURN(const std::string_view name, Text("an entry's name"));
      TANDEM_ASSIGN_OR_RETURN(const std::uint32_t calls, Number("an entry"));
      TANDEM_ASSIGN_OR_RETURN(const std::uint32_t values, Number("an entry"));
      if (values == 0 || values > kMostValues) {
        return Corrupt(file_, Format("entry '{}' has {} values", Printable(name), values));
      }
      TANDEM_ASSIGN_OR_RETURN(const std::string_view bytes,
                              Take(std::size_t{values} * sizeof(float), "an entry's values"));
      Importance::Entry entry;
      entry.sums.resize(values);
      entry.counts = {calls == 0 ? 1.0F : static_cast<float>(calls)};
      std::memcpy(entry.sums.data(), bytes.data(), bytes.size());
      TANDEM_RETURN_IF_ERROR(CheckNumbers(file_, name, entry.sums));
      importance.entries().emplace(name, std::move(entry));
    }
    if (!rest_.empty()) {
      TANDEM_ASSIGN_OR_RETURN(importance.chunks, Number("its end"));
      TANDEM_ASSIGN_OR_RETURN(const std::string_view dataset, Text("its data set"));
      importance.datasets = {std::string(dataset)};
    }
    return importance;
  }

 private:
  Result<std::string_view> Take(std::size_t bytes, std::string_view what) {
    if (bytes > rest_.size()) {
      return Corrupt(file_,
                     Format("ends inside {}: {} bytes needed, {} left", what, bytes, rest_.size()));
    }
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }
  Result<std::uint32_t> Number(std::string_view what) {
    TANDEM_ASSIGN_OR_RETURN(const std::string_view bytes, Take(4, what));
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
  }
  Result<std::string_view> Text(std::string_view what) {
    TANDEM_ASSIGN_OR_RETURN(const std::uint32_t length, Number(what));
    return Take(length, what);
  }

  std::string_view rest_;
  std::string_view file_;
};

}  // namespace

Result<Importance> Importance::Read(const std::filesystem::path& path) {
  TANDEM_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  Result<Importance> read = Status(StatusCode::kCorrupt, "not read yet");
  if (bytes.starts_with("GGUF")) {
    TANDEM_ASSIGN_OR_RETURN(const gguf::File file,
                            gguf::File::Parse(std::as_bytes(std::span(bytes)), path.native()));
    read = FromGguf(file);
  } else {
    read = OldReader(bytes, path.native()).Run();
  }
  if (read.ok() && read->entries().empty()) {
    return Corrupt(path.native(), "is an importance matrix without entries");
  }
  if (read.ok()) {
    read->source = path.native();
  }
  return read;
}

Status Importance::Write(const std::filesystem::path& path) const {
  gguf::Metadata metadata;
  metadata.SetString("general.type", "imatrix");
  metadata.SetStrings(kDatasets, datasets);
  metadata.SetUint32(kChunks, chunks);
  metadata.SetUint32(kChunkTokens, chunk_tokens);
  std::vector<gguf::TensorSpec> specs;
  std::vector<const std::vector<float>*> data;
  for (const auto& [name, entry] : entries_) {
    const std::uint64_t matrices = entry.counts.size();
    specs.push_back({.name = name + std::string(kSums),
                     .dims = {entry.sums.size() / matrices, matrices},
                     .type = gguf::TensorType::kF32});
    specs.push_back({.name = name + std::string(kCounts),
                     .dims = {1, matrices},
                     .type = gguf::TensorType::kF32});
    data.push_back(&entry.sums);
    data.push_back(&entry.counts);
  }
  return gguf::WriteFile(path, metadata, specs, [&](std::size_t index, const gguf::ByteSink& sink) {
    return sink(std::as_bytes(std::span(*data[index])));
  });
}

Result<std::vector<float>> Importance::MeansFor(std::string_view tensor, std::uint64_t inputs,
                                                std::uint64_t matrices) const {
  const auto found = entries_.find(tensor);
  if (found == entries_.end()) {
    return std::vector<float>();
  }
  const Entry& entry = found->second;
  const auto expected = CheckedMul(inputs, matrices);
  if (!expected.has_value() || entry.sums.size() != *expected) {
    return Corrupt(source, Format("entry '{}' has {} values, but the model's matrix has {} inputs: "
                                  "it was made for another model",
                                  Printable(tensor), entry.sums.size(), expected.value_or(0)));
  }
  std::vector<float> means(entry.sums.size(), 1.0F);
  const std::size_t each = entry.sums.size() / entry.counts.size();
  bool any = false;
  for (std::size_t i = 0; i < means.size(); ++i) {
    const float count = entry.counts[i / each];
    // An expert that no token reached: all its inputs count the same.
    means[i] = count > 0 ? entry.sums[i] / count : 1.0F;
    any = any || count > 0;
  }
  return any ? means : std::vector<float>();
}

}  // namespace tandem::quantize
