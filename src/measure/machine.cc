#include "measure/machine.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>

#include "base/thread_pool.h"

namespace tandem {
namespace {

// "model name : Intel(R) Xeon(R)" on x86; other systems name no model there.
std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

}  // namespace

Machine DescribeMachine() {
  utsname names{};
  const bool named = ::uname(&names) == 0;
  return {.cpu = CpuName(),
          .cores = UsablePhysicalCores(),
          .memory_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                          static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)),
          .system = named ? std::string(names.sysname) + " " + names.release + " " + names.machine
                          : "unknown"};
}

std::uint64_t PeakResidentBytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace tandem
