#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <utility>

#include "base/check.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace tandem {
namespace {

// About 100 us of spinning on a 3 GHz core: longer than any pause between two loops of one decode
// step.
constexpr int kSpins = 4000;

void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");  // `yield` takes no time on most cores
#endif
}

// The cgroup's CPU quota in cores, rounded up; 0 when there is none.
std::size_t CgroupCores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) {
    return 0;
  }
  const double cores = std::strtod(quota.c_str(), nullptr) / period;
  return cores <= 0 ? 0 : static_cast<std::size_t>(cores + 0.999);
}

// A CPU of each physical core in this process's affinity mask, ascending; empty when unknown.
std::vector<std::size_t> PhysicalCores() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  std::vector<std::size_t> cores;
  if (sched_getaffinity(0, sizeof(mask), &mask) != 0) {
    return cores;
  }
  std::set<std::string> siblings;
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &mask)) {
      continue;
    }
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings_list");
    std::string list;
    if (siblings.insert(std::getline(file, list) ? list : std::to_string(cpu)).second) {
      cores.push_back(cpu);
    }
  }
  return cores;
}

// A hint: a system that refuses leaves the thread where it likes.
void StayOn(std::size_t cpu) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(cpu, &mask);
  (void)sched_setaffinity(0, sizeof(mask), &mask);
}

}  // namespace

ThreadPool::ThreadPool(std::size_t threads, Pinning pinning) {
  TANDEM_CHECK(threads >= 1, "a pool needs its caller");
  const std::vector<std::size_t> cores =
      pinning == Pinning::kCores ? PhysicalCores() : std::vector<std::size_t>();
  helpers_.threads.reserve(threads - 1);
  for (std::size_t worker = 1; worker < threads; ++worker) {
    // The first core is left to the caller.
    const std::optional<std::size_t> cpu =
        cores.empty() ? std::nullopt : std::optional(cores[worker % cores.size()]);
    helpers_.threads.emplace_back([this, worker, cpu] { Help(worker, cpu); });
  }
}

ThreadPool::Helpers::~Helpers() {
  pool_.stop_.store(true, std::memory_order_relaxed);
  pool_.generation_.fetch_add(1, std::memory_order_release);
  pool_.generation_.notify_all();
  for (std::thread& thread : threads) {
    thread.join();
  }
}

void ThreadPool::RunTasks(std::size_t worker) {
  while (!failed_.load(std::memory_order_relaxed)) {
    const std::size_t i = next_.fetch_add(1, std::memory_order_relaxed);
    if (i >= tasks_) {
      return;
    }
    (*task_)(i, worker);
  }
}

// An exception must neither leave a helper's thread nor let the caller go while others still work
// on what it owns: it is carried over to the caller.
void ThreadPool::Drain(std::size_t worker) {
  try {
    RunTasks(worker);
  } catch (...) {
    if (!failed_.exchange(true, std::memory_order_relaxed)) {
      failure_ = std::current_exception();
    }
  }
}

void ThreadPool::Help(std::size_t worker, std::optional<std::size_t> cpu) {
  if (cpu.has_value()) {
    StayOn(*cpu);
  }
  std::uint32_t seen = 0;
  while (true) {
    std::uint32_t now = generation_.load(std::memory_order_acquire);
    for (int spin = 0; now == seen && spin < kSpins; ++spin) {
      Pause();
      now = generation_.load(std::memory_order_acquire);
    }
    while (now == seen) {
      generation_.wait(seen, std::memory_order_acquire);
      now = generation_.load(std::memory_order_acquire);
    }
    seen = now;
    if (stop_.load(std::memory_order_relaxed)) {
      return;
    }
    Drain(worker);
    busy_.fetch_sub(1, std::memory_order_release);
  }
}

void ThreadPool::Run(std::size_t tasks, FunctionRef<void(std::size_t, std::size_t)> task) {
  if (tasks == 0) {
    return;
  }
  if (tasks == 1 || helpers_.threads.empty()) {
    for (std::size_t i = 0; i < tasks; ++i) {
      task(i, 0);
    }
    return;
  }
  tasks_ = tasks;
  task_ = &task;
  next_.store(0, std::memory_order_relaxed);
  busy_.store(helpers_.threads.size(), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  Drain(0);
  // A helper that lost its core must not be waited for by burning this one.
  for (int spin = 0; busy_.load(std::memory_order_acquire) != 0; ++spin) {
    if (spin < kSpins) {
      Pause();
    } else {
      sched_yield();
    }
  }
  if (failed_.load(std::memory_order_relaxed)) [[unlikely]] {
    failed_.store(false, std::memory_order_relaxed);
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

std::size_t UsablePhysicalCores() {
  const std::size_t cores = std::max<std::size_t>(1, PhysicalCores().size());
  const std::size_t quota = CgroupCores();
  return quota == 0 ? cores : std::min(cores, quota);
}

}  // namespace tandem
