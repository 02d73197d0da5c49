#include "measure/machine.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>

#include "base/thread_pool.h"

namespace tandem {
namespace {

// Of /proc/cpuinfo's first processor: "model name : AMD EPYC" with family and model, since many
// generations share one name. Other systems than x86 name no model there.
std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  std::string family;
  std::string model;
  std::string name = "unknown";
  while (std::getline(file, line) && !line.empty()) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) {
      continue;
    }
    const std::string key = line.substr(0, line.find_first_of("\t:"));
    const std::string value = line.substr(colon + 2);
    if (key == "cpu family") {
      family = value;
    } else if (key == "model") {
      model = value;
    } else if (key == "model name") {
      name = value;
    }
  }
  return family.empty() ? name : name + " (family " + family + ", model " + model + ")";
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
