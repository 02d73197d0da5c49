#include "quantize/source.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "base/format.h"
#include "gguf/model_file.h"

namespace tandem::quantize {
namespace {

// A directory is mostly its vocabulary: ten megabytes.
constexpr std::uint64_t kFirstBytes = std::uint64_t{1} << 24;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;

Status ReadAt(const Descriptor& fd, const std::filesystem::path& path, std::uint64_t position,
              std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = ::pread(fd.get(), out.data() + done, out.size() - done,
                                static_cast<off_t>(position + done));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return SystemError("read", path, errno);
    }
    if (got == 0) {
      return Status(StatusCode::kCorrupt,
                    Format("{}: ends at byte {} now; it was longer when it was opened",
                           Printable(path.native(), 400), position + done));
    }
    done += static_cast<std::size_t>(got);
  }
  return OkStatus();
}

}  // namespace

Result<Source::Part> Source::OpenPart(const std::filesystem::path& path) {
  TANDEM_ASSIGN_OR_RETURN(ReadableFile opened, OpenRegularFile(path));
  std::vector<std::byte> bytes;
  for (std::uint64_t wanted = kFirstBytes;; wanted *= 4) {
    const std::size_t have = bytes.size();
    bytes.resize(static_cast<std::size_t>(std::min({wanted, opened.size, kMostBytes})));
    TANDEM_RETURN_IF_ERROR(ReadAt(opened.fd, path, have, std::span(bytes).subspan(have)));
    Result<gguf::File> file = gguf::File::ParseDirectory(bytes, opened.size, path.native());
    if (file.ok()) {
      return Part{path, std::move(opened.fd), std::move(bytes), std::move(file).value()};
    }
    // The directory may be longer than what was read of it.
    if (bytes.size() == opened.size || bytes.size() == kMostBytes ||
        file.status().message().find("ends inside") == std::string::npos) {
      return file.status();
    }
  }
}

Status Source::AddPart(Part part) {
  for (const gguf::TensorInfo& info : part.file.tensors()) {
    tensors_.push_back({info, parts_.size()});
  }
  parts_.push_back(std::move(part));
  return OkStatus();
}

Result<Source> Source::Open(const std::filesystem::path& path) {
  TANDEM_ASSIGN_OR_RETURN(Part first, OpenPart(path));
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t count, first.file.GetUintOr("split.count", 1));
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t number, first.file.GetUintOr("split.no", 0));
  if (count > 1 && number != 0) {
    const std::filesystem::path start = gguf::SplitPartPath(path, 0, count);
    if (start.empty() || start == path) {
      return Status(StatusCode::kInvalidArgument,
                    Format("{}: is part {} of {}; its name must say so", first.file.name(),
                           number + 1, count));
    }
    return Open(start);
  }
  Source source;
  TANDEM_RETURN_IF_ERROR(source.AddPart(std::move(first)));
  for (std::uint64_t i = 1; i < count; ++i) {
    TANDEM_ASSIGN_OR_RETURN(Part part, OpenPart(gguf::SplitPartPath(path, i, count)));
    TANDEM_ASSIGN_OR_RETURN(const std::uint64_t is, part.file.GetUint("split.no"));
    if (is != i) {
      return Status(StatusCode::kCorrupt,
                    Format("{}: says it is part {}, not part {}", part.file.name(), is + 1, i + 1));
    }
    TANDEM_RETURN_IF_ERROR(source.AddPart(std::move(part)));
  }
  std::unordered_set<std::string_view> names;
  for (const Tensor& tensor : source.tensors_) {
    if (!names.insert(tensor.info.name).second) {
      return Status(StatusCode::kCorrupt,
                    Format("{}: tensor '{}' is in two parts", source.file().name(),
                           Printable(tensor.info.name)));
    }
  }
  return source;
}

Status Source::ReadBytes(const Tensor& tensor, std::uint64_t offset,
                         std::span<std::byte> out) const {
  const Part& part = parts_[tensor.part];
  return ReadAt(part.fd, part.path, tensor.info.position + offset, out);
}

}  // namespace tandem::quantize
