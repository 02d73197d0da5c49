#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "kernels/cpu/kv_page.h"
#include "kernels/kernel_test.h"
#include "kernels/ops.h"

namespace tandem::cpu {
namespace {

class AttentionKernel : public KernelTest {};
TANDEM_FOR_EACH_TIER(AttentionKernel);

struct Shape {
  std::size_t heads = 1;
  std::size_t head_dim = 32;
  std::size_t rows = 1;
  std::size_t first_position = 0;
};

// One KV head's cache and the queries that look at it. Rows of the last page that no query may see
// hold NaN, and no page starts at a whole vector.
class Problem {
 public:
  Problem(const KernelTable& scalar, KvType type, const Shape& shape, Random& random)
      : shape_(shape), type_(type), row_bytes_(KvRowBytes(type, shape.head_dim)) {
    positions_ = shape.first_position + shape.rows;
    const std::size_t pages = (positions_ + kKvPageTokens - 1) / kKvPageTokens;
    for (std::size_t p = 0; p < pages; ++p) {
      memory_.emplace_back(2 * kKvPageTokens * row_bytes_ + kOffset, std::byte{0xFF});
      pages_.push_back(memory_.back().data() + kOffset);
    }
    for (std::size_t position = 0; position < positions_; ++position) {
      std::byte* page = pages_[position / kKvPageTokens];
      const std::size_t slot = position % kKvPageTokens;
      const std::vector<float> k = random.Normals(shape.head_dim);
      const std::vector<float> v = random.Normals(shape.head_dim);
      const int number = static_cast<int>(type);
      std::vector<std::byte> row(row_bytes_);
      scalar.kv_store(number, k.data(), shape.head_dim, row.data());
      PlaceKey(type, row.data(), shape.head_dim, slot, page);
      scalar.kv_store(number, v.data(), shape.head_dim, row.data());
      PlaceValue(type, row.data(), shape.head_dim, slot, page + kKvPageTokens * row_bytes_);
    }
    q_ = random.Normals(shape.rows * shape.heads * QueryStride());
  }

  // Output of the rows [begin, begin + rows), heads beside each other.
  std::vector<float> Run(const KernelTable& table, std::size_t begin, std::size_t rows) {
    std::vector<float> out(rows * shape_.heads * shape_.head_dim);
    std::vector<std::byte> scratch(kScratchBytes + 64);
    const std::size_t aligned = 64 - reinterpret_cast<std::uintptr_t>(scratch.data()) % 64;
    table.attention({.q = q_.data() + begin * shape_.heads * QueryStride(),
                     .q_row_stride = shape_.heads * QueryStride(),
                     .q_head_stride = QueryStride(),
                     .rows = rows,
                     .heads = shape_.heads,
                     .head_dim = shape_.head_dim,
                     .scale = Scale(),
                     .first_position = shape_.first_position + begin,
                     .kv_type = static_cast<int>(type_),
                     .k = {pages_.data(), 0},
                     .v = {pages_.data(), kKvPageTokens * row_bytes_},
                     .out = out.data(),
                     .out_row_stride = shape_.heads * shape_.head_dim,
                     .scratch = scratch.data() + aligned});
    return out;
  }
  std::vector<float> Run(const KernelTable& table) { return Run(table, 0, shape_.rows); }

  // A score is a sum of D products, each rounded once, times the scale; all numbers are about
  // normal, so sum |q k| stays below 3 D. The numerators of the softmax take twice that error plus
  // exp's, and the weighted values at most 64 roundings per page and two per page of joining.
  double Bound() const {
    const auto d = static_cast<double>(shape_.head_dim);
    const double score = d * kUnitRoundoff * static_cast<double>(Scale()) * 3 * d;
    const double pages = std::ceil(static_cast<double>(positions_) / kKvPageTokens);
    const double largest_value = 6;
    return (2 * score + (70 + 4 * pages) * kUnitRoundoff) * largest_value;
  }

 private:
  static constexpr std::size_t kOffset = 4;

  std::size_t QueryStride() const { return 2 * shape_.head_dim + 1; }
  float Scale() const { return 1.0F / std::sqrt(static_cast<float>(shape_.head_dim)); }

  Shape shape_;
  KvType type_;
  std::size_t row_bytes_;
  std::size_t positions_ = 0;
  std::vector<std::vector<std::byte>> memory_;
  std::vector<std::byte*> pages_;
  std::vector<float> q_;
};

constexpr KvType kTypes[] = {KvType::kF32, KvType::kF16, KvType::kBf16, KvType::kQ8_0,
                             KvType::kQ4_0};

// Calls check(type, shape) for widths with and without tails, every group size and row blocks that
// cross a page.
template <typename Check>
void SweepShapes(Check check) {
  std::vector<Shape> shapes;
  for (const std::size_t head_dim : Sizes{8, 16, 20, 32, 40, 96, 128, 256, 512}) {
    for (const std::size_t heads : Sizes{1, 2, 3, 4, 5, 7, 8, 9}) {
      shapes.push_back({heads, head_dim, 1 + (head_dim + heads) % 4, 62});
    }
  }
  for (const std::size_t head_dim : Sizes{20, 32, 128}) {
    for (const std::size_t heads : Sizes{1, 3, 4}) {
      for (const std::size_t rows : Sizes{1, 2, 5, 16, 41}) {
        for (const std::size_t first : Sizes{0, 50, 64, 191}) {
          shapes.push_back({heads, head_dim, rows, first});
        }
      }
    }
  }
  for (const KvType type : kTypes) {
    for (const Shape& shape : shapes) {
      if (shape.head_dim % KvBlockLength(type) == 0) {
        SCOPED_TRACE(testing::Message() << KvTypeName(type) << " head_dim=" << shape.head_dim
                                        << " heads=" << shape.heads << " rows=" << shape.rows
                                        << " first=" << shape.first_position);
        check(type, shape);
      }
    }
  }
}

TEST_P(AttentionKernel, MatchesScalarForEveryFormatWidthAndGroup) {
  Random random(1);
  double worst = 0;
  SweepShapes([&](KvType type, const Shape& shape) {
    Problem problem(scalar_, type, shape, random);
    // The scalar kernel is slow: the first and the last row stand for all.
    for (const std::size_t row : {std::size_t{0}, shape.rows - 1}) {
      const std::vector<float> want = problem.Run(scalar_, row, 1);
      const std::vector<float> all = problem.Run(table_);
      const float* got = all.data() + row * want.size();
      for (std::size_t i = 0; i < want.size(); ++i) {
        const double error = std::fabs(static_cast<double>(got[i]) - static_cast<double>(want[i]));
        ASSERT_LE(error, problem.Bound()) << "row " << row << " column " << i;
        worst = std::max(worst, error);
      }
    }
  });
  RecordProperty("worst_error", std::to_string(worst));
}

TEST_P(AttentionKernel, RowGivesTheSameBitsAloneAndInABlock) {
  Random random(2);
  SweepShapes([&](KvType type, const Shape& shape) {
    Problem problem(scalar_, type, shape, random);
    const std::vector<float> all = problem.Run(table_);
    const std::size_t width = shape.heads * shape.head_dim;
    for (std::size_t row = 0; row < shape.rows; ++row) {
      const std::vector<float> alone = problem.Run(table_, row, 1);
      ASSERT_EQ(std::memcmp(alone.data(), all.data() + row * width, width * sizeof(float)), 0)
          << "row " << row;
    }
    const std::size_t half = shape.rows / 2;
    const std::vector<float> rest = problem.Run(table_, half, shape.rows - half);
    ASSERT_EQ(std::memcmp(rest.data(), all.data() + half * width, rest.size() * sizeof(float)), 0);
  });
}

// The rows of 64 tokens, put in one by one, come back as they were, and fill their part to the
// byte.
TEST(KvPage, GivesBackTheRowsOfEveryFormatAndUsesEveryByteOnce) {
  Random random(3);
  for (const KvType type : kTypes) {
    for (const std::size_t head_dim : Sizes{32, 64, 160, 512}) {
      SCOPED_TRACE(testing::Message() << KvTypeName(type) << " head_dim=" << head_dim);
      const std::size_t bytes = KvRowBytes(type, head_dim);
      std::vector<std::byte> rows(kKvPageTokens * bytes);
      for (std::byte& byte : rows) {
        byte = static_cast<std::byte>(random.Bits() & 0xFF);
      }
      for (const auto& [place, take] :
           {std::pair(&PlaceKey, &TakeKey), std::pair(&PlaceValue, &TakeValue)}) {
        std::vector<std::byte> part(rows.size());
        for (std::size_t slot = 0; slot < kKvPageTokens; ++slot) {
          place(type, rows.data() + slot * bytes, head_dim, slot, part.data());
        }
        std::vector<std::byte> back(rows.size());
        for (std::size_t slot = 0; slot < kKvPageTokens; ++slot) {
          take(type, part.data(), head_dim, slot, back.data() + slot * bytes);
        }
        EXPECT_EQ(back, rows);
      }
    }
  }
}

}  // namespace
}  // namespace tandem::cpu
