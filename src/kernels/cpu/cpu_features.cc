#include "kernels/cpu/cpu_features.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "base/format.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace tandem::cpu {
namespace {

#if defined(__x86_64__)
constexpr unsigned kAmxTileBit = 1U << 24U;  // CPUID.(7,0).EDX
constexpr unsigned kAmxInt8Bit = 1U << 25U;
constexpr long kArchReqXcompPerm = 0x1023;  // asm/prctl.h, Linux 5.16
constexpr long kXfeatureXtileData = 18;

bool AmxInt8() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || (edx & kAmxTileBit) == 0 ||
      (edx & kAmxInt8Bit) == 0) {
    return false;
  }
  return syscall(SYS_arch_prctl, kArchReqXcompPerm, kXfeatureXtileData) == 0;
}
#elif defined(__aarch64__)
// What the compiler may use in kernels/cpu/neon/: dot products and all of Armv8.2 that it knows of.
constexpr unsigned long kNeonHwcaps = HWCAP_ASIMDDP | HWCAP_CRC32 | HWCAP_ATOMICS | HWCAP_ASIMDRDM;
#endif

// What a person may ask for on any machine.
constexpr const char* kNames[] = {"auto", "scalar", "avx2", "avx512vnni", "amx", "neon"};

}  // namespace

CpuFeatures DetectCpuFeatures() {
  CpuFeatures cpu;
#if defined(__x86_64__)
  cpu.avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
             __builtin_cpu_supports("bmi2") != 0;
  cpu.avx512_vnni =
      cpu.avx2 && __builtin_cpu_supports("avx512f") != 0 &&
      __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
      __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512vnni") != 0;
  cpu.amx_int8 = cpu.avx512_vnni && AmxInt8();
#elif defined(__aarch64__)
  cpu.neon_dotprod = (getauxval(AT_HWCAP) & kNeonHwcaps) == kNeonHwcaps;
#endif
  return cpu;
}

bool IsIntel() {
#if defined(__x86_64__)
  return __builtin_cpu_is("intel") != 0;
#else
  return false;
#endif
}

Result<KernelTable> SelectKernels(const std::string& isa) {
  [[maybe_unused]] const CpuFeatures cpu = DetectCpuFeatures();
  struct Tier {
    const char* name;
    bool available;
    void (*install)(KernelTable*);
  };
  // Lowest first: a tier installs itself over all lower ones.
  const Tier tiers[] = {
    {"scalar", true, &InstallScalar},
#if defined(__x86_64__)
    {"avx2", cpu.avx2, &InstallAvx2},
    {"avx512vnni", cpu.avx512_vnni, &InstallAvx512Vnni},
    {"amx", cpu.amx_int8, &InstallAmx},
#elif defined(__aarch64__)
    {"neon", cpu.neon_dotprod, &InstallNeon},
#endif
  };
  KernelTable table{};
  std::string available;
  for (const Tier& tier : tiers) {
    if (tier.available) {
      available += available.empty() ? tier.name : Format(", {}", tier.name);
    }
  }
  if (std::find(std::begin(kNames), std::end(kNames), isa) == std::end(kNames)) {
    return Status(StatusCode::kInvalidArgument,
                  Format("unknown instruction set '{}'; here: auto, {}", isa, available));
  }
  for (const Tier& tier : tiers) {
    if (tier.available) {
      tier.install(&table);
    }
    if (isa == tier.name) {
      break;
    }
  }
  if (isa != "auto" && isa != table.name) {
    return Status(StatusCode::kUnsupported,
                  Format("this CPU cannot run '{}'; here: auto, {}", isa, available));
  }
  return table;
}

}  // namespace tandem::cpu
