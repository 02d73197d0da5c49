#include "measure/limits.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/thread_pool.h"
#include "kernels/cpu/cpu_features.h"

namespace tandem {
namespace {

constexpr std::size_t kStreamBytes = std::size_t{1} << 30;
constexpr std::size_t kSliceBytes = std::size_t{1} << 20;
constexpr int kStreamRepeats = 5;
constexpr std::size_t kOpsRounds = 1 << 18;
constexpr int kOpsRepeats = 5;

template <typename F>
double FastestSeconds(int repeats, F&& run) {
  double best = 1e30;
  for (int i = 0; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run();
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

}  // namespace

Result<MachineLimits> MeasureLimits(const std::string& isa, std::size_t threads) {
  TANDEM_ASSIGN_OR_RETURN(const cpu::KernelTable table, cpu::SelectKernels(isa));
  void* memory =
      ::mmap(nullptr, kStreamBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return Status(StatusCode::kOutOfMemory, "no memory to measure its speed on");
  }
  (void)::madvise(memory, kStreamBytes, MADV_HUGEPAGE);  // a hint
  ThreadPool pool(threads);
  auto* bytes = static_cast<std::uint8_t*>(memory);
  // Every page must be real: untouched ones would all be the same page of zeros.
  pool.Run(kStreamBytes / kSliceBytes, [bytes](std::size_t i, std::size_t) {
    std::fill_n(bytes + i * kSliceBytes, kSliceBytes, static_cast<std::uint8_t>(i));
  });
  MachineLimits limits;
  // Each thread its own stretch, as weights are read.
  const double stream = FastestSeconds(kStreamRepeats, [&] {
    pool.Run(threads, [&](std::size_t i, std::size_t) {
      const std::size_t begin = kStreamBytes / kSliceBytes * i / threads * kSliceBytes;
      const std::size_t end = kStreamBytes / kSliceBytes * (i + 1) / threads * kSliceBytes;
      table.read_bytes(bytes + begin, end - begin);
    });
  });
  ::munmap(memory, kStreamBytes);
  limits.read_bytes_per_second = static_cast<double>(kStreamBytes) / stream;
  std::size_t ops = 0;
  const double multiply = FastestSeconds(kOpsRepeats, [&] {
    pool.Run(threads, [&](std::size_t, std::size_t) { ops = table.int8_dot_rounds(kOpsRounds); });
  });
  limits.int8_ops_per_second = static_cast<double>(ops * threads) / multiply;
  return limits;
}

}  // namespace tandem
