#include "gguf/model_file.h"

#include <string>
#include <utility>

#include "base/format.h"

namespace tandem::gguf {
namespace {

constexpr std::string_view kSplitCount = "split.count";
constexpr std::string_view kSplitNumber = "split.no";
constexpr std::string_view kSplitTensors = "split.tensors.count";

Result<File> ParseMapping(const MappedFile& mapping, const std::filesystem::path& path) {
  return File::Parse(mapping.bytes(), path.native());
}

}  // namespace

std::filesystem::path SplitPartPath(const std::filesystem::path& path, std::uint64_t index,
                                    std::uint64_t count) {
  const std::string name = path.filename().native();
  const std::string tail = Format("-of-{:05}.gguf", count);
  constexpr std::size_t kDigits = 5;
  if (name.size() <= tail.size() + kDigits || !name.ends_with(tail)) {
    return {};
  }
  const std::size_t digits = name.size() - tail.size() - kDigits;
  const bool numbered =
      name.find_first_not_of("0123456789", digits) >= digits + kDigits && name[digits - 1] == '-';
  if (!numbered) {
    return {};
  }
  return path.parent_path() / Format("{}{:05}{}", name.substr(0, digits), index + 1, tail);
}

Status ModelFile::AddPart(const std::filesystem::path& path, std::uint64_t index,
                          std::uint64_t count) {
  TANDEM_ASSIGN_OR_RETURN(MappedFile mapping, MappedFile::Open(path));
  TANDEM_ASSIGN_OR_RETURN(const File part, ParseMapping(mapping, path));
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t number, part.GetUint(kSplitNumber));
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t of, part.GetUint(kSplitCount));
  if (number != index || of != count) {
    return Status(StatusCode::kCorrupt,
                  Format("{}: says it is part {} of {}, but part {} of {} is expected there",
                         part.name(), number + 1, of, index + 1, count));
  }
  for (const TensorInfo& tensor : part.tensors()) {
    if (!AddTensor(tensor)) {
      return Status(StatusCode::kCorrupt, Format("{}: tensor '{}' is in an earlier part as well",
                                                 part.name(), Printable(tensor.name)));
    }
  }
  file_bytes_ += mapping.size();
  mappings_.push_back(std::move(mapping));
  return OkStatus();
}

Result<std::unique_ptr<ModelFile>> ModelFile::Open(const std::filesystem::path& path) {
  TANDEM_ASSIGN_OR_RETURN(MappedFile mapping, MappedFile::Open(path));
  TANDEM_ASSIGN_OR_RETURN(File file, ParseMapping(mapping, path));
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t count, file.GetUintOr(kSplitCount, 1));
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t number, file.GetUintOr(kSplitNumber, 0));
  if (count > 1 && SplitPartPath(path, 0, count).empty()) {
    return Status(StatusCode::kInvalidArgument,
                  Format("{}: is part {} of {}, so its name must end in -{:05}-of-{:05}.gguf",
                         file.name(), number + 1, count, number + 1, count));
  }
  if (count > 1 && number != 0) {
    const std::filesystem::path first = SplitPartPath(path, 0, count);
    if (first == path) {
      return Status(StatusCode::kCorrupt,
                    Format("{}: says it is part {} of {}, but its name says part 1", file.name(),
                           number + 1, count));
    }
    return Open(first);
  }
  std::vector<MappedFile> mappings;
  const std::uint64_t bytes = mapping.size();
  mappings.push_back(std::move(mapping));
  std::unique_ptr<ModelFile> model(new ModelFile(std::move(file), std::move(mappings), bytes));
  for (std::uint64_t i = 1; i < count; ++i) {
    TANDEM_RETURN_IF_ERROR(model->AddPart(SplitPartPath(path, i, count), i, count));
  }
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t tensors,
                          model->GetUintOr(kSplitTensors, model->tensors().size()));
  if (count > 1 && tensors != model->tensors().size()) {
    return Status(StatusCode::kCorrupt,
                  Format("{}: its {} parts have {} tensors; {} says {}", model->name(), count,
                         model->tensors().size(), kSplitTensors, tensors));
  }
  return model;
}

Result<std::unique_ptr<ModelFile>> ModelFile::FromBytes(std::span<const std::byte> bytes,
                                                        std::string_view name) {
  TANDEM_ASSIGN_OR_RETURN(File file, File::Parse(bytes, name));
  return std::unique_ptr<ModelFile>(new ModelFile(std::move(file), {}, bytes.size()));
}

}  // namespace tandem::gguf
