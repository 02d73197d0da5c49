#pragma once

#include <string>

#include "base/status.h"
#include "kernels/cpu/kernel_table.h"

namespace tandem::cpu {

/// What this CPU and operating system let us run.
struct CpuFeatures {
  bool avx2 = false;          // AVX2, FMA, F16C, BMI2
  bool avx512_vnni = false;   // AVX-512 F, BW, DQ, VL and VNNI
  bool amx_int8 = false;      // AMX tiles with int8, permission granted by the kernel
  bool neon_dotprod = false;  // 64-bit ARM: NEON with dot products, and Armv8.2 otherwise
};

/// Asks the CPU; for AMX also asks the kernel for permission to use the tile registers (Linux,
/// arch_prctl).
CpuFeatures DetectCpuFeatures();

/// Whether Intel made this CPU: its cores fetch memory in another way than AMD's.
bool IsIntel();

/// The table for `isa` ("auto", "scalar", "avx2", "avx512vnni", "amx", "neon"), complete.
/// InvalidArgument for an unknown name, Unsupported when the CPU lacks it; both list what works
/// here.
Result<KernelTable> SelectKernels(const std::string& isa);

}  // namespace tandem::cpu
