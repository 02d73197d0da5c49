#include "store/journal.h"

#include <filesystem>
#include <fstream>
#include <utility>

#include <gtest/gtest.h>

namespace tandem {
namespace {

constexpr std::uint64_t kBlock = std::uint64_t{1} << 20;

class JournalTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) /
      (std::string("journal_") + testing::UnitTest::GetInstance()->current_test_info()->name());
  std::filesystem::path path_ = folder_ / "x.gguf.part.journal";
};

TEST_F(JournalTest, RemembersWhatIsThere) {
  {
    Journal journal = Journal::Open(path_, "one", 3 * kBlock + 5).value();
    ASSERT_EQ(journal.blocks(), 4U);
    EXPECT_EQ(journal.BlockEnd(3), 3 * kBlock + 5);
    ASSERT_TRUE(journal.Advance(0, kBlock).ok());
    ASSERT_TRUE(journal.Advance(1, 100).ok());
    ASSERT_TRUE(journal.Advance(3, 5).ok());
  }
  const Journal journal = Journal::Open(path_, "one", 3 * kBlock + 5).value();
  EXPECT_TRUE(journal.Complete(0));
  EXPECT_EQ(journal.Done(1), 100U);
  EXPECT_TRUE(journal.Complete(3));
  EXPECT_EQ(journal.TotalDone(), kBlock + 105);
  EXPECT_EQ(journal.Frontier(), kBlock + 100);
}

TEST_F(JournalTest, ForgetsAnotherFile) {
  for (const auto& [identity, size] : {std::pair("two", 2 * kBlock), std::pair("one", kBlock)}) {
    {
      Journal journal = Journal::Open(path_, "one", 2 * kBlock).value();
      ASSERT_TRUE(journal.Advance(0, 7).ok());
    }
    EXPECT_EQ(Journal::Open(path_, identity, size).value().TotalDone(), 0U);
  }
}

TEST_F(JournalTest, LetsOneWriterIn) {
  const Journal journal = Journal::Open(path_, "one", kBlock).value();
  const auto second = Journal::Open(path_, "one", kBlock);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find("another process is downloading"), std::string::npos);
}

TEST_F(JournalTest, StartsOverFromADamagedTable) {
  {
    Journal journal = Journal::Open(path_, "one", 2 * kBlock).value();
    ASSERT_TRUE(journal.Advance(0, 7).ok());
  }
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 1);
  EXPECT_EQ(Journal::Open(path_, "one", 2 * kBlock).value().TotalDone(), 0U);
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-4, std::ios::end);
    file.write("\xff\xff\xff\xff", 4);  // more than a block holds
  }
  EXPECT_EQ(Journal::Open(path_, "one", 2 * kBlock).value().TotalDone(), 0U);
}

TEST_F(JournalTest, HoldsNoBlocksOfAnEmptyFile) {
  const Journal journal = Journal::Open(path_, "one", 0).value();
  EXPECT_EQ(journal.blocks(), 0U);
  EXPECT_EQ(journal.Frontier(), 0U);
}

}  // namespace
}  // namespace tandem
