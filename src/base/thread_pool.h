#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

#include "base/function_ref.h"

namespace tandem {

/// Whether each helper of a pool stays on a core of its own. The thread that calls Run is left
/// alone.
enum class Pinning { kNone, kCores };

/// Threads that run many short parallel loops. The caller is worker 0; `size() - 1` threads help.
/// Between loops the helpers spin for a moment, then sleep, so that a decode step pays about a
/// microsecond per loop and an idle program pays nothing. One loop at a time: Run must not be
/// called from two threads at once, nor from a task.
class ThreadPool {
 public:
  /// threads: workers including the caller, at least 1.
  explicit ThreadPool(std::size_t threads, Pinning pinning = Pinning::kNone);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  std::size_t size() const { return threads_.size() + 1; }

  /// Calls task(i, worker) once for each i in [0, tasks), in any order, and returns when all are
  /// done. Tasks are handed out one by one, so a slow core takes fewer of them; results must not
  /// depend on who ran which.
  void Run(std::size_t tasks, FunctionRef<void(std::size_t task, std::size_t worker)> task);

 private:
  using Task = FunctionRef<void(std::size_t, std::size_t)>;
  void Help(std::size_t worker, std::optional<std::size_t> cpu);
  void Drain(std::size_t worker);

  std::vector<std::thread> threads_;
  alignas(64) std::atomic<std::uint32_t> generation_{0};
  alignas(64) std::atomic<std::size_t> next_{0};
  alignas(64) std::atomic<std::size_t> busy_{0};
  std::size_t tasks_ = 0;
  const Task* task_ = nullptr;
  std::atomic<bool> stop_{false};
};

/// Physical cores this process may run on: its affinity mask, limited by the cgroup's CPU quota,
/// hyper-threads counted once. At least 1.
std::size_t UsablePhysicalCores();

}  // namespace tandem
