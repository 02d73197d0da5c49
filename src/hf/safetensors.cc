#include "hf/safetensors.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "base/checked.h"
#include "base/format.h"
#include "hf/fields.h"
#include "io/json.h"

namespace tandem::hf {
namespace {

// The reference implementation refuses longer headers too.
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kMaxDims = 8;

Status Corrupt(std::string_view file, std::string_view text) {
  return Status(StatusCode::kCorrupt, Format("{}: {}", Printable(file, 400), text));
}

struct DTypeRow {
  std::string_view name;
  DType dtype;
  std::uint64_t bytes;
};

constexpr DTypeRow kDTypes[] = {
    {"F32", DType::kF32, 4}, {"F16", DType::kF16, 2}, {"BF16", DType::kBF16, 2}};

/// The header's JSON; `data` becomes the bytes after it.
Result<Json> ReadHeader(std::span<const std::byte> bytes, std::string_view name,
                        std::span<const std::byte>& data) {
  std::uint64_t length = 0;
  if (bytes.size() < sizeof(length)) {
    return Corrupt(name, Format("has {} bytes, too few for a safetensors file", bytes.size()));
  }
  std::memcpy(&length, bytes.data(), sizeof(length));
  bytes = bytes.subspan(sizeof(length));
  if (length > bytes.size() || length > kMaxHeaderBytes) {
    return Corrupt(name, Format("its header claims {} bytes; {} follow and at most {} are allowed",
                                length, bytes.size(), kMaxHeaderBytes));
  }
  const auto header = bytes.first(static_cast<std::size_t>(length));
  data = bytes.subspan(header.size());
  const std::string_view text(reinterpret_cast<const char*>(header.data()), header.size());
  TANDEM_ASSIGN_OR_RETURN(Json json, ParseJson(text, Format("{} (header)", Printable(name, 400))));
  if (!json.is_object()) {
    return Corrupt(name, "its header is no JSON object");
  }
  return json;
}

Result<std::vector<std::uint64_t>> ReadCounts(const Json& entry, std::string_view key,
                                              std::string_view file, std::string_view tensor) {
  std::vector<std::uint64_t> counts;
  const Json* list = FindField(entry, key);
  bool good = list != nullptr && list->is_array() && list->size() <= kMaxDims;
  for (std::size_t i = 0; good && i < list->size(); ++i) {
    good = (*list)[i].is_number_unsigned();
    if (good) {
      counts.push_back((*list)[i].get<std::uint64_t>());
    }
  }
  if (!good) {
    return Corrupt(file, Format("tensor '{}' has no proper list '{}'", Printable(tensor), key));
  }
  return counts;
}

Status SetType(Tensor& tensor, const Json& entry, std::string_view file, std::uint64_t& width) {
  TANDEM_ASSIGN_OR_RETURN(const auto dtype, StringField(entry, "dtype", file));
  if (!dtype.has_value()) {
    return Corrupt(file, Format("tensor '{}' has no dtype", Printable(tensor.name)));
  }
  tensor.dtype_name = *dtype;
  width = 0;
  for (const DTypeRow& row : kDTypes) {
    if (row.name == *dtype) {
      tensor.dtype = row.dtype;
      width = row.bytes;
    }
  }
  return OkStatus();
}

Result<Tensor> ReadEntry(const std::string& name, const Json& entry, std::string_view file,
                         std::span<const std::byte> data) {
  Tensor tensor;
  tensor.name = name;
  std::uint64_t width = 0;
  TANDEM_RETURN_IF_ERROR(SetType(tensor, entry, file, width));
  TANDEM_ASSIGN_OR_RETURN(tensor.shape, ReadCounts(entry, "shape", file, name));
  TANDEM_ASSIGN_OR_RETURN(const auto offsets, ReadCounts(entry, "data_offsets", file, name));
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data.size()) {
    return Corrupt(file, Format("tensor '{}' lies at bytes {} of the data, which has {}",
                                Printable(name), entry["data_offsets"].dump(), data.size()));
  }
  const std::uint64_t size = offsets[1] - offsets[0];
  std::optional<std::uint64_t> elements = 1;
  for (const std::uint64_t dim : tensor.shape) {
    elements = elements.has_value() ? CheckedMul(*elements, dim) : elements;
  }
  const auto wanted = elements.has_value() ? CheckedMul(*elements, width) : elements;
  if (!wanted.has_value() || (width != 0 && *wanted != size)) {
    return Corrupt(file, Format("tensor '{}' of {} {} has {} bytes", Printable(name),
                                tensor.dtype_name, entry["shape"].dump(), size));
  }
  tensor.bytes = data.subspan(static_cast<std::size_t>(offsets[0]), static_cast<std::size_t>(size));
  return tensor;
}

/// The data must be covered once, without gaps: overlapping tensors are how a small file could
/// claim to be a large one.
Status CheckCover(std::vector<Tensor> tensors, std::span<const std::byte> data,
                  std::string_view file) {
  std::sort(tensors.begin(), tensors.end(), [](const Tensor& a, const Tensor& b) {
    return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
  });
  const std::byte* next = data.data();
  for (const Tensor& tensor : tensors) {
    if (tensor.bytes.data() != next) {
      return Corrupt(
          file,
          Format("tensor '{}' begins at byte {} of the data, but the ones before end at "
                 "{}",
                 Printable(tensor.name), tensor.bytes.data() - data.data(), next - data.data()));
    }
    next += tensor.bytes.size();
  }
  if (next != data.data() + data.size()) {
    return Corrupt(file, Format("its tensors end at byte {} of the data, which has {}",
                                next - data.data(), data.size()));
  }
  return OkStatus();
}

/// The file names of an index, sorted, each with its tensors.
using WeightMap = std::map<std::string, std::set<std::string>>;

Result<WeightMap> ReadIndex(const std::filesystem::path& path) {
  TANDEM_ASSIGN_OR_RETURN(const Json json, ReadJsonFile(path));
  const Json* map = FindField(json, "weight_map");
  if (map == nullptr || !map->is_object()) {
    return Corrupt(path.native(), "has no object 'weight_map'");
  }
  WeightMap files;
  for (const auto& [tensor, file] : map->items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    // The name comes from a download: it must not lead out of the folder.
    if (name.empty() || name != std::filesystem::path(name).filename() || name == "..") {
      return Corrupt(path.native(), Format("tensor '{}' is in {}, which is no file name",
                                           Printable(tensor), Printable(file.dump())));
    }
    files[name].insert(tensor);
  }
  return files;
}

}  // namespace

std::uint64_t Tensor::elements() const {
  std::uint64_t product = 1;
  for (const std::uint64_t dim : shape) {
    product *= dim;
  }
  return product;
}

Result<std::vector<Tensor>> ParseSafetensors(std::span<const std::byte> bytes,
                                             std::string_view name) {
  std::span<const std::byte> data;
  TANDEM_ASSIGN_OR_RETURN(const Json header, ReadHeader(bytes, name, data));
  std::vector<Tensor> tensors;
  for (const auto& [key, entry] : header.items()) {
    if (key == "__metadata__") {
      continue;
    }
    TANDEM_ASSIGN_OR_RETURN(Tensor tensor, ReadEntry(key, entry, name, data));
    tensors.push_back(std::move(tensor));
  }
  TANDEM_RETURN_IF_ERROR(CheckCover(tensors, data, name));
  std::sort(tensors.begin(), tensors.end(),
            [](const Tensor& a, const Tensor& b) { return a.name < b.name; });
  return tensors;
}

Status Checkpoint::AddFile(const std::filesystem::path& path) {
  TANDEM_ASSIGN_OR_RETURN(MappedFile mapping, MappedFile::Open(path));
  TANDEM_ASSIGN_OR_RETURN(std::vector<Tensor> tensors,
                          ParseSafetensors(mapping.bytes(), path.native()));
  mappings_.push_back(std::move(mapping));
  for (Tensor& tensor : tensors) {
    if (!index_.emplace(tensor.name, tensors_.size()).second) {
      return Corrupt(path.native(),
                     Format("tensor '{}' is in another file as well", Printable(tensor.name)));
    }
    tensors_.push_back(std::move(tensor));
  }
  return OkStatus();
}

Result<Checkpoint> Checkpoint::Open(const std::filesystem::path& folder) {
  Checkpoint checkpoint;
  std::error_code error;
  const std::filesystem::path index = folder / "model.safetensors.index.json";
  if (!std::filesystem::exists(index, error)) {
    TANDEM_RETURN_IF_ERROR(checkpoint.AddFile(folder / "model.safetensors"));
    return checkpoint;
  }
  TANDEM_ASSIGN_OR_RETURN(const WeightMap files, ReadIndex(index));
  for (const auto& [file, names] : files) {
    const std::size_t begin = checkpoint.tensors_.size();
    TANDEM_RETURN_IF_ERROR(checkpoint.AddFile(folder / file));
    const std::size_t count = checkpoint.tensors_.size() - begin;
    for (const std::string& name : names) {
      const auto found = checkpoint.index_.find(name);
      if (found == checkpoint.index_.end() || found->second < begin) {
        return Corrupt(index.native(),
                       Format("tensor '{}' is not in {}", Printable(name), Printable(file)));
      }
    }
    if (count != names.size()) {
      return Corrupt(index.native(), Format("{} has {} tensors, of which {} are listed",
                                            Printable(file), count, names.size()));
    }
  }
  return checkpoint;
}

const Tensor* Checkpoint::Find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace tandem::hf
