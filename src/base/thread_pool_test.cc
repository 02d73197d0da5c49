#include "base/thread_pool.h"

#include <sched.h>

#include <atomic>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(ThreadPool, RunsEveryTaskOnceForEveryPoolSize) {
  for (const std::size_t threads : {1U, 2U, 3U, 5U}) {
    ThreadPool pool(threads);
    for (std::size_t tasks = 0; tasks < 40; ++tasks) {
      std::vector<std::atomic<int>> runs(tasks);
      pool.Run(tasks, [&](std::size_t i, std::size_t worker) {
        EXPECT_LT(worker, threads);
        runs[i].fetch_add(1);
      });
      for (const auto& count : runs) {
        EXPECT_EQ(count.load(), 1);
      }
    }
  }
}

TEST(ThreadPool, ResultsOfOneLoopAreVisibleToTheNext) {
  ThreadPool pool(3);
  std::vector<std::size_t> values(64, 0);
  for (int round = 0; round < 500; ++round) {
    pool.Run(values.size(), [&](std::size_t i, std::size_t) { values[i] += 1; });
  }
  for (const std::size_t value : values) {
    EXPECT_EQ(value, 500U);
  }
}

TEST(ThreadPool, AnExceptionOfATaskReachesTheCallerWhenAllHaveStopped) {
  for (const std::size_t threads : {1U, 2U, 4U}) {
    ThreadPool pool(threads);
    for (std::size_t bad = 0; bad < 8; ++bad) {
      std::atomic<int> running{0};
      const auto task = [&](std::size_t i, std::size_t) {
        running.fetch_add(1);
        if (i >= bad) {
          running.fetch_sub(1);
          static_cast<void>(std::vector<int>().at(1));  // stands for what runs out of memory
        }
        running.fetch_sub(1);
      };
      EXPECT_THROW(pool.Run(8, task), std::out_of_range);
      EXPECT_EQ(running.load(), 0);
    }
    std::atomic<int> runs{0};
    pool.Run(8, [&](std::size_t, std::size_t) { runs.fetch_add(1); });  // as good as new
    EXPECT_EQ(runs.load(), 8);
  }
}

// Each of the two tasks waits for the other, so both workers run one.
std::size_t HelpersCpus(Pinning pinning) {
  ThreadPool pool(2, pinning);
  std::atomic<int> here{0};
  std::size_t cpus = 0;
  pool.Run(2, [&](std::size_t, std::size_t worker) {
    here.fetch_add(1);
    while (here.load() < 2) {
      sched_yield();
    }
    cpu_set_t mask;
    CPU_ZERO(&mask);
    if (worker == 1 && sched_getaffinity(0, sizeof(mask), &mask) == 0) {
      cpus = static_cast<std::size_t>(CPU_COUNT(&mask));
    }
  });
  return cpus;
}

TEST(ThreadPool, PinsHelpersAndLeavesTheCallerAlone) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  EXPECT_EQ(HelpersCpus(Pinning::kCores), 1U);
  EXPECT_EQ(HelpersCpus(Pinning::kNone), static_cast<std::size_t>(CPU_COUNT(&before)));
  cpu_set_t after;
  ASSERT_EQ(sched_getaffinity(0, sizeof(after), &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

TEST(UsablePhysicalCores, IsAtLeastOne) {
  EXPECT_GE(UsablePhysicalCores(), 1U);
}

}  // namespace
}  // namespace tandem
