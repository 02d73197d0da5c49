#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
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
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  std::size_t size() const { return helpers_.threads.size() + 1; }

  /// Calls task(i, worker) once for each i in [0, tasks), in any order, and returns when all are
  /// done. Tasks are handed out one by one, so a slow core takes fewer of them; results must not
  /// depend on who ran which. When a task throws (no memory), tasks that have not begun are left
  /// out, and once all workers have stopped the first exception leaves Run.
  void Run(std::size_t tasks, FunctionRef<void(std::size_t task, std::size_t worker)> task);

 private:
  using Task = FunctionRef<void(std::size_t, std::size_t)>;

  /// The helpers; ended before anything that they look at, also when one of them cannot be started
  /// and the pool never comes to be.
  class Helpers {
   public:
    explicit Helpers(ThreadPool& pool) : pool_(pool) {}
    ~Helpers();
    Helpers(const Helpers&) = delete;
    Helpers& operator=(const Helpers&) = delete;

    std::vector<std::thread> threads;

   private:
    ThreadPool& pool_;
  };

  void Help(std::size_t worker, std::optional<std::size_t> cpu);
  void Drain(std::size_t worker);
  void RunTasks(std::size_t worker);

  alignas(64) std::atomic<std::uint32_t> generation_{0};
  alignas(64) std::atomic<std::size_t> next_{0};
  alignas(64) std::atomic<std::size_t> busy_{0};
  std::size_t tasks_ = 0;
  const Task* task_ = nullptr;
  std::atomic<bool> stop_{false};
  std::atomic<bool> failed_{false};
  std::exception_ptr failure_;  // written by whoever sets failed_ first, read when all are done
  Helpers helpers_{*this};      // the last member: it goes first
};

/// Physical cores this process may run on: its affinity mask, limited by the cgroup's CPU quota,
/// hyper-threads counted once. At least 1.
std::size_t UsablePhysicalCores();

}  // namespace tandem
