#include <algorithm>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>

#include "plan/memory.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

// Nothing for "max", or when there is no such file.
std::optional<std::uint64_t> ReadNumber(const fs::path& path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

// A line "KEY NUMBER" or "KEY: NUMBER kB" of a file.
std::optional<std::uint64_t> ReadField(const fs::path& path, const std::string& wanted) {
  std::ifstream file(path);
  std::string key;
  std::uint64_t value = 0;
  std::string rest;
  while (file >> key >> value) {
    std::getline(file, rest);
    if (key == wanted) {
      return value;
    }
  }
  return std::nullopt;
}

// Where a version of cgroups keeps what, below /sys/fs/cgroup.
struct CgroupVersion {
  const char* mount;
  const char* line;  // of /proc/self/cgroup; the process's own folder follows
  const char* limit;
  const char* used;
  const char* cache;  // of memory.stat: page cache, which is given back when memory is short
};
constexpr CgroupVersion kCgroupVersions[] = {
    {"sys/fs/cgroup", "0::/", "memory.max", "memory.current", "file"},
    {"sys/fs/cgroup/memory", ":memory:/", "memory.limit_in_bytes", "memory.usage_in_bytes",
     "total_cache"},
};

// The folder of this process's cgroup, below the mount of all.
fs::path OwnCgroup(const fs::path& root, std::string_view start) {
  std::ifstream file(root / "proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    if (const std::size_t at = line.find(start); at != std::string::npos) {
      return fs::path(line.substr(at + start.size()));
    }
  }
  return {};
}

// Lowers `memory` by the limit of one cgroup.
void ApplyCgroup(const fs::path& folder, const CgroupVersion& version, MachineMemory& memory) {
  constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 60;  // version 1 says "none" by a number
  const std::optional<std::uint64_t> limit = ReadNumber(folder / version.limit);
  if (!limit.has_value() || *limit >= kNoLimit) {
    return;
  }
  const std::uint64_t used = ReadNumber(folder / version.used).value_or(0);
  const std::uint64_t cached = ReadField(folder / "memory.stat", version.cache).value_or(0);
  const std::uint64_t held = used - std::min(used, cached);
  memory.cgroup_limit = std::min(memory.cgroup_limit.value_or(*limit), *limit);
  memory.available = std::min(memory.available, *limit - std::min(*limit, held));
}

}  // namespace

std::uint64_t AvailableMemory() {
  return ReadMachineMemory().available;
}

MachineMemory ReadMachineMemory(const fs::path& root) {
  constexpr std::uint64_t kKibi = 1024;
  const fs::path info = root / "proc/meminfo";
  MachineMemory memory;
  memory.total = kKibi * ReadField(info, "MemTotal:").value_or(0);
  const std::optional<std::uint64_t> available = ReadField(info, "MemAvailable:");
  memory.available =
      available.has_value() ? kKibi * *available : std::numeric_limits<std::uint64_t>::max();
  for (const CgroupVersion& version : kCgroupVersions) {
    fs::path folder = root / version.mount;
    ApplyCgroup(folder, version, memory);
    for (const fs::path& part : OwnCgroup(root, version.line)) {
      folder /= part;
      ApplyCgroup(folder, version, memory);
    }
  }
  return memory;
}

}  // namespace tandem
