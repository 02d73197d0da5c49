#include "gguf/file_watch.h"

#include <sys/stat.h>

#include <filesystem>
#include <utility>

#include "base/format.h"

namespace tandem::gguf {

FileWatch::FileWatch(const ModelFile& file) {
  const std::size_t count = file.mappings().size();
  for (std::size_t i = 0; i < count; ++i) {
    Part part;
    part.path = count == 1 ? file.name() : SplitPartPath(file.name(), i, count).native();
    struct stat info {};
    if (::stat(part.path.c_str(), &info) == 0) {
      part.device = info.st_dev;
      part.inode = info.st_ino;
      part.size = file.mappings()[i].size();
      part.seconds = info.st_mtim.tv_sec;
      part.nanoseconds = info.st_mtim.tv_nsec;
      parts_.push_back(std::move(part));
    }
  }
}

Status FileWatch::Check() const {
  for (const Part& part : parts_) {
    struct stat info {};
    // A name that is gone or another file's by now: what is mapped lives on as it was.
    if (::stat(part.path.c_str(), &info) != 0 || info.st_dev != part.device ||
        info.st_ino != part.inode) {
      continue;
    }
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (size != part.size) {
      return {StatusCode::kIo,
              Format("'{}' was changed while it was in use: it had {} bytes and has {} now",
                     Printable(part.path, 400), part.size, size)};
    }
    if (info.st_mtim.tv_sec != part.seconds || info.st_mtim.tv_nsec != part.nanoseconds) {
      return {StatusCode::kIo,
              Format("'{}' was written to while it was in use", Printable(part.path, 400))};
    }
  }
  return OkStatus();
}

}  // namespace tandem::gguf
