#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "plan/memory.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kGibi = std::uint64_t{1} << 30;

// A machine of 16 GiB, 12 of them free, as /proc and /sys would show it.
class Machine : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(root_);
    Put("proc/meminfo",
        "MemTotal:       16777216 kB\nMemFree:         1 kB\nMemAvailable:   12582912 kB\n");
  }
  void TearDown() override { fs::remove_all(root_); }

  void Put(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  fs::path root_ =
      fs::path(testing::TempDir()) /
      (std::string("machine_") + testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(Machine, WithoutLimitsIsItsMemory) {
  Put("sys/fs/cgroup/memory.max", "max\n");
  const MachineMemory memory = ReadMachineMemory(root_);
  EXPECT_EQ(memory.total, 16 * kGibi);
  EXPECT_EQ(memory.available, 12 * kGibi);
  EXPECT_FALSE(memory.cgroup_limit.has_value());
}

TEST_F(Machine, AContainersLimitCounts) {
  Put("sys/fs/cgroup/memory.max", std::to_string(4 * kGibi));
  Put("sys/fs/cgroup/memory.current", std::to_string(3 * kGibi));
  Put("sys/fs/cgroup/memory.stat", "anon 1\nfile " + std::to_string(2 * kGibi) + "\nkernel 1\n");
  const MachineMemory memory = ReadMachineMemory(root_);
  EXPECT_EQ(memory.cgroup_limit, 4 * kGibi);
  EXPECT_EQ(memory.available, 3 * kGibi);  // page cache is given back
}

TEST_F(Machine, TheLowestLimitOnTheWayCounts) {
  Put("proc/self/cgroup", "0::/user.slice/run.scope\n");
  Put("sys/fs/cgroup/user.slice/memory.max", std::to_string(2 * kGibi));
  Put("sys/fs/cgroup/user.slice/memory.current", "0");
  Put("sys/fs/cgroup/user.slice/run.scope/memory.max", std::to_string(6 * kGibi));
  EXPECT_EQ(ReadMachineMemory(root_).cgroup_limit, 2 * kGibi);
  EXPECT_EQ(ReadMachineMemory(root_).available, 2 * kGibi);
  Put("sys/fs/cgroup/user.slice/run.scope/memory.max", std::to_string(kGibi));
  EXPECT_EQ(ReadMachineMemory(root_).cgroup_limit, kGibi);
  // More in use than is allowed: nothing is left, and nothing wraps.
  Put("sys/fs/cgroup/user.slice/run.scope/memory.current", std::to_string(5 * kGibi));
  EXPECT_EQ(ReadMachineMemory(root_).available, 0U);
}

TEST_F(Machine, TheFirstVersionOfCgroupsCountsToo) {
  Put("proc/self/cgroup", "4:memory:/docker/x\n0::/\n");
  Put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
  Put("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", std::to_string(4 * kGibi));
  Put("sys/fs/cgroup/memory/docker/x/memory.usage_in_bytes", std::to_string(3 * kGibi));
  Put("sys/fs/cgroup/memory/docker/x/memory.stat", "total_cache " + std::to_string(kGibi) + "\n");
  EXPECT_EQ(ReadMachineMemory(root_).cgroup_limit, 4 * kGibi);
  EXPECT_EQ(ReadMachineMemory(root_).available, 2 * kGibi);
}

TEST_F(Machine, ThatSaysNothingIsNotLimited) {
  fs::remove_all(root_);
  EXPECT_EQ(ReadMachineMemory(root_).available, std::numeric_limits<std::uint64_t>::max());
}

}  // namespace
}  // namespace tandem
