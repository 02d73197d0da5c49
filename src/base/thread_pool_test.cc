#include "base/thread_pool.h"

#include <atomic>
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

TEST(UsablePhysicalCores, IsAtLeastOne) {
  EXPECT_GE(UsablePhysicalCores(), 1U);
}

}  // namespace
}  // namespace tandem
