#include "chat/snapshots.h"

#include <numeric>

#include <gtest/gtest.h>

#include "runtime/engine.h"
#include "tests/support/tiny_model.h"

namespace tandem {
namespace {

class SnapshotsTest : public testing::Test {
 protected:
  // A sequence of `length` tokens 0, 1, 2, ...
  Sequence Of(std::size_t length) {
    Sequence sequence = engine_->NewSequence();
    Request request;
    request.sequence = &sequence;
    request.prompt.resize(length);
    std::iota(request.prompt.begin(), request.prompt.end(), 0);
    EXPECT_TRUE(engine_->Run(request).ok());
    return sequence;
  }

  static std::vector<TokenId> Rows(std::size_t length) {
    std::vector<TokenId> rows(length);
    std::iota(rows.begin(), rows.end(), 0);
    return rows;
  }

  TinyModel model_ = MakeTinyQwen({});
  std::unique_ptr<Engine> engine_ = Engine::Create(*model_.network, {}).value();
};

TEST_F(SnapshotsTest, TheLongestThatFitsIsFound) {
  Snapshots snapshots(100, 1000);
  EXPECT_EQ(snapshots.Longest(Rows(9), 9), nullptr);
  for (const std::size_t length : {3U, 5U, 8U}) {
    snapshots.Add(Of(length));
  }
  EXPECT_EQ(snapshots.count(), 3U);
  EXPECT_EQ(snapshots.bytes(), 300U);
  EXPECT_EQ(snapshots.Longest(Rows(9), 9)->length(), 8U);
  EXPECT_EQ(snapshots.Longest(Rows(9), 7)->length(), 5U);
  EXPECT_EQ(snapshots.Longest(Rows(4), 4)->length(), 3U);
  EXPECT_EQ(snapshots.Longest(Rows(2), 2), nullptr);
  std::vector<TokenId> other = Rows(9);
  other[4] = 0;
  EXPECT_EQ(snapshots.Longest(other, 9)->length(), 3U);
  snapshots.KeepBeginningsOf(other);
  EXPECT_EQ(snapshots.count(), 1U);
}

TEST_F(SnapshotsTest, OverTheBudgetTheOneBesideItsNeighbourGoes) {
  Snapshots snapshots(100, 300);
  for (const std::size_t length : {4U, 5U, 9U, 14U}) {
    snapshots.Add(Of(length));
  }
  EXPECT_EQ(snapshots.count(), 3U);
  EXPECT_EQ(snapshots.Longest(Rows(20), 6)->length(), 4U);  // 5 was one row further
  Snapshots one(100, 0);
  one.Add(Of(4));
  one.Add(Of(6));
  EXPECT_EQ(one.count(), 1U);
  EXPECT_EQ(one.Longest(Rows(9), 9)->length(), 6U);
}

}  // namespace
}  // namespace tandem
