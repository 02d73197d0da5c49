#include "store/download.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "base/format.h"
#include "io/descriptor.h"
#include "store/fetcher.h"
#include "store/journal.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

// Left free for everybody else.
constexpr std::uint64_t kSpareDiskBytes = std::uint64_t{64} << 20;

fs::path PartPath(const fs::path& target) {
  fs::path part = target;
  return part += ".part";
}

fs::path JournalPath(const fs::path& target) {
  fs::path journal = target;
  return journal += ".part.journal";
}

std::string Bytes(std::uint64_t bytes) {
  return FormatBytes(static_cast<double>(bytes));
}

Status CheckFreeDisk(const fs::path& folder, std::uint64_t missing) {
  struct statvfs disk {};
  if (statvfs(folder.c_str(), &disk) != 0) {
    return SystemError("look at", folder, errno);
  }
  const std::uint64_t available = std::uint64_t{disk.f_bavail} * disk.f_frsize;
  if (available < missing || available - missing < kSpareDiskBytes) {
    return {StatusCode::kIo, Format("the download needs {} more in '{}', but {} are free there",
                                    Bytes(missing), Printable(folder.string()), Bytes(available))};
  }
  return OkStatus();
}

bool HasSize(const fs::path& path, std::uint64_t size) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         static_cast<std::uint64_t>(info.st_size) == size;
}

// What a file takes of the disk: a part has its full length from the start, and holes.
std::uint64_t AllocatedBytes(const fs::path& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_blocks) * 512 : 0;
}

// The part file, of its full length from the start.
Result<Descriptor> OpenPart(const fs::path& part, std::uint64_t size, Journal& journal) {
  if (!HasSize(part, size)) {
    TANDEM_RETURN_IF_ERROR(journal.Clear());
  }
  Descriptor fd(open(part.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.open() || ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
    return SystemError("write", part, errno);
  }
  return fd;
}

void RemovePart(const fs::path& target) {
  std::error_code ignored;
  fs::remove(PartPath(target), ignored);
  fs::remove(JournalPath(target), ignored);
}

// The bytes reach the disk before the name does.
Status GiveName(const Descriptor& part, const fs::path& target) {
  if (fsync(part.get()) != 0) {
    return SystemError("write", target, errno);
  }
  if (rename(PartPath(target).c_str(), target.c_str()) != 0) {
    return SystemError("rename", PartPath(target), errno);
  }
  std::error_code ignored;
  fs::remove(JournalPath(target), ignored);
  const Descriptor folder(open(target.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.open()) {
    fsync(folder.get());
  }
  return OkStatus();
}

Status FetchAndCheck(const DownloadSpec& spec, const DownloadOptions& options, Journal& journal) {
  TANDEM_ASSIGN_OR_RETURN(const Descriptor part,
                          OpenPart(PartPath(spec.target), spec.size, journal));
  Fetcher fetcher(spec, options, part.get(), journal);
  TANDEM_RETURN_IF_ERROR(fetcher.Run());
  const std::string found = fetcher.HashHex();
  if (!spec.hash.empty() && found != spec.hash.hex()) {
    return {StatusCode::kCorrupt,
            Format("'{}' has the hash {}, but {} was promised; what was fetched is removed",
                   Printable(spec.target.filename().string()), found, spec.hash.hex())};
  }
  return GiveName(part, spec.target);
}

}  // namespace

Status Download(const DownloadSpec& spec, const DownloadOptions& options) {
  if (HasSize(spec.target, spec.size)) {
    RemovePart(spec.target);  // whoever gave the name may have been killed before it could
    return OkStatus();
  }
  std::error_code error;
  fs::create_directories(spec.target.parent_path(), error);
  if (error) {
    return SystemError("make", spec.target.parent_path(), error.value());
  }
  // Before anything of that size is made.
  const std::uint64_t there = std::min(spec.size, AllocatedBytes(PartPath(spec.target)));
  TANDEM_RETURN_IF_ERROR(CheckFreeDisk(spec.target.parent_path(), spec.size - there));
  const std::string identity = Format("{} {}", spec.size, spec.hash.hex());
  TANDEM_ASSIGN_OR_RETURN(Journal journal,
                          Journal::Open(JournalPath(spec.target), identity, spec.size));
  if (HasSize(spec.target, spec.size)) {  // another process has just finished it
    fs::remove(JournalPath(spec.target), error);
    return OkStatus();
  }
  const bool resumed = journal.TotalDone() > 0;
  Status status = FetchAndCheck(spec, options, journal);
  if (status.code() == StatusCode::kCorrupt && resumed) {
    // What lay there may have been damaged since, e.g. by a loss of power.
    if (options.http.on_note) {
      options.http.on_note("what was there of an earlier download does not fit; starting over");
    }
    TANDEM_RETURN_IF_ERROR(journal.Clear());
    status = FetchAndCheck(spec, options, journal);
  }
  if (status.code() == StatusCode::kCorrupt) {
    RemovePart(spec.target);
  }
  return status;
}

}  // namespace tandem
